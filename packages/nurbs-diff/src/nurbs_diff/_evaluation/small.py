"""Collocation matrices of few parameters on the CPU, in NumPy: there each operation costs a fifth of torch's.

A grid has hundreds of parameters a direction whatever the number of its points, so its bases are some hundred
operations on small arrays, and what they cost is their calls. The mathematics is that of `local` and
`knot_doubling`, which take arrays of either library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nurbs_diff._evaluation.knot_doubling import knot_gradient
from nurbs_diff._evaluation.local import local_basis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


class _Layout(NamedTuple):
    """Directions of one degree as one long knot vector, one line of parameters and one of matrix entries."""

    knots: np.ndarray
    u: np.ndarray
    around: np.ndarray  # (2p, q): places of the knots around each parameter
    entries: np.ndarray  # (p + 1, q): places of the values that do not vanish
    shapes: list[tuple[int, int]]  # of the matrices


class SmallBases(torch.autograd.Function):
    """The collocation matrices (q, n) of directions of one degree, with exact knot gradients.

    `apply(degree, dtype, recompute, *knots, *parameters)`; `recompute(*knots, *parameters)` is the same in
    differentiable operations, for gradients of gradients.
    """

    @staticmethod
    def forward(
        ctx,
        degree: int,
        dtype: torch.dtype,
        recompute: Callable[..., Sequence[Tensor]],
        *knots_and_parameters: Tensor,
    ) -> tuple[Tensor, ...]:
        count = len(knots_and_parameters) // 2
        arrays = [x.detach().numpy().astype(np.float64, copy=False) for x in knots_and_parameters]
        layout = _lay_out(degree, arrays[:count], arrays[count:])
        windows = layout.knots[layout.around]
        values, quotients = local_basis(windows, layout.u)
        dense = np.zeros(sum(q * n for q, n in layout.shapes), _NUMPY[dtype])
        dense[layout.entries] = values
        ctx.save_for_backward(*knots_and_parameters)
        ctx.degree, ctx.recompute = degree, recompute
        ctx.kept = layout, windows, quotients
        parts = _split(dense, [q * n for q, n in layout.shapes])
        return tuple(
            torch.from_numpy(part.reshape(shape)) for part, shape in zip(parts, layout.shapes, strict=True)
        )

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the derivative is asked for
            return None, None, None, *_differentiable_backward(ctx.recompute, tensors, grads)
        if ctx.degree == 0:  # box functions: piecewise constant in everything
            return None, None, None, *map(torch.zeros_like, tensors)
        layout, windows, quotients = ctx.kept
        needed, count = ctx.needs_input_grad[3:], len(grads)
        grad = np.concatenate([g.reshape(-1).numpy() for g in grads])[layout.entries].astype(np.float64)
        found: list[np.ndarray | None] = [None] * len(tensors)
        if any(needed[:count]):
            local = knot_gradient(windows, layout.u, quotients, grad)
            total = np.bincount(layout.around.reshape(-1), local.reshape(-1), len(layout.knots))
            found[:count] = _split(total, [len(knots) for knots in tensors[:count]])
        if any(needed[count:]):
            local = ctx.degree * ((grad[1:] - grad[:-1]) * quotients[-1]).sum(0)
            found[count:] = _split(local, [q for q, _ in layout.shapes])
        return (
            None,
            None,
            None,
            *(
                None if part is None else torch.from_numpy(part).to(x.dtype)
                for part, x in zip(found, tensors, strict=True)
            ),
        )


def _lay_out(degree: int, knots: Sequence[np.ndarray], u: Sequence[np.ndarray]) -> _Layout:
    spans: list[np.ndarray] = []
    entries: list[np.ndarray] = []
    shapes: list[tuple[int, int]] = []
    first_knot = first_entry = 0
    for t, x in zip(knots, u, strict=True):
        # as `find_spans`: interior knots that meet the end of the domain count for nothing
        interior = t[degree + 1 : -degree - 1]
        reached = interior[: interior.searchsorted(t[-degree - 1])]
        span = reached.searchsorted(x, "right") + degree
        q, n = len(x), len(t) - degree - 1
        spans.append(span + first_knot)
        entries.append(span + np.arange(first_entry - degree, first_entry - degree + q * n, n))
        shapes.append((q, n))
        first_knot += len(t)
        first_entry += q * n
    return _Layout(
        knots=np.concatenate(knots),
        u=np.concatenate(u),
        around=np.concatenate(spans) + np.arange(1 - degree, degree + 1)[:, None],
        entries=np.concatenate(entries) + np.arange(degree + 1)[:, None],
        shapes=shapes,
    )


def _split(line: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return [line[start : start + size] for start, size in zip(starts[:-1], sizes, strict=True)]


def _differentiable_backward(
    recompute: Callable[..., Sequence[Tensor]], tensors: Sequence[Tensor], grads: Sequence[Tensor]
) -> list[Tensor | None]:
    # aliases, so that each gets its partial derivative even where one was computed from another
    aliases = [tensor.view_as(tensor) for tensor in tensors]
    wanted = [alias for alias in aliases if alias.requires_grad]
    found = iter(torch.autograd.grad(recompute(*aliases), wanted, grads, create_graph=True))
    return [next(found) if alias.requires_grad else None for alias in aliases]
