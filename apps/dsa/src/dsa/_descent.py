"""Minimising the energy by gradient, as the paper does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from fem_diff import Field, energy, nodal_rms

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from fem_diff import Poisson

CHUNK = 10
"""Steps between two looks at the clock."""


def minimise(
    problem: Poisson,
    start: Tensor,
    exact: Callable[[Tensor, Tensor], Tensor],
    *,
    steps: int,
    seconds: float = float("inf"),
) -> tuple[Field, list[float]]:
    """Minimises the energy by L-BFGS with a strong-Wolfe line search.

    It ends where rounding hides all descent, after `steps` steps, or after `seconds` of CPU time.

    Returns:
        The function reached, and its root mean square error at the nodes at each evaluation of the energy.
    """
    u = start.clone().requires_grad_()
    wanted = exact(*problem.space.nodes(like=start))  # once: a series of 256 terms costs more than the energy
    errors: list[float] = []
    optimizer = torch.optim.LBFGS(
        [u],
        max_iter=CHUNK,
        history_size=20,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = energy(problem, u)
        value.backward()
        errors.append(float(nodal_rms(Field(problem.space, problem.impose(u.detach())), lambda *_: wanted)))
        return value

    begin, done = time.process_time(), 0
    while done < steps and time.process_time() - begin < seconds:
        asked = min(CHUNK, steps - done)
        optimizer.param_groups[0] |= {"max_iter": asked, "max_eval": 25 * asked}
        optimizer.step(closure)
        if optimizer.state[u]["n_iter"] - done < asked:
            break
        done += asked
    return Field(problem.space, problem.impose(u.detach())), errors
