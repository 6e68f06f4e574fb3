"""Least squares over control points and knots together, by variable projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.linalg import block_diag
from scipy.optimize import LinearConstraint, OptimizeResult, minimize
from torch import Tensor

from nurbs_diff._evaluation.basis import basis_functions
from nurbs_diff._evaluation.grids import evaluate_surface
from nurbs_diff._fitting.least_squares import project_net, pseudo_inverse
from nurbs_diff._knots import clamp_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

Callback = Callable[[int, int, float], None]


@dataclass(frozen=True)
class FreeKnots:
    """What the search found: the best knots, the mean squared error from each start, the work done."""

    knots: tuple[Tensor, Tensor]
    losses: tuple[float, ...]
    evaluations: int
    is_converged: bool


@dataclass(frozen=True)
class Axis:
    """One direction: its parameters, its degree, and the number of its interior knots.

    The unknowns are the interior knots as fractions of the domain.
    """

    parameters: Tensor
    degree: int
    interior: int
    domain: tuple[float, float]

    def knots(self, fractions: np.ndarray) -> Tensor:
        """The clamped knot vector."""
        low, high = self.domain
        breakpoints = low + (high - low) * np.concatenate([[0.0], fractions])
        ends = torch.as_tensor(np.append(breakpoints, high)).to(self.parameters)
        return clamp_ends(ends, self.degree)

    def fractions(self, knots: Tensor) -> np.ndarray:
        """The inverse of `knots`."""
        low, high = self.domain
        inner = knots[self.degree + 1 : self.degree + 1 + self.interior]
        return (inner.cpu().numpy() - low) / (high - low)

    def fractions_gradient(self, knots_gradient: Tensor) -> np.ndarray:
        """The adjoint of `knots`."""
        inner = knots_gradient[self.degree + 1 : self.degree + 1 + self.interior]
        return inner.cpu().numpy() * (self.domain[1] - self.domain[0])

    def inverse(self, knots: Tensor) -> Tensor:
        """Pseudo-inverse of the collocation matrix."""
        return pseudo_inverse(basis_functions(knots, self.degree, self.parameters))[0]


def free_knots(
    points: Tensor,
    axes: tuple[Axis, Axis],
    *,
    minimum_gap: float,
    starts: int,
    max_iterations: int,
    callback: Callback | None,
) -> FreeKnots:
    r"""Minimises the mean squared error over the interior knots, the control points projected out.

    Sequential quadratic programming keeps $t_{j+1} - t_j \geq$ gap as linear constraints, so that knots may
    meet where the data have an edge. Each start runs twice: first with a gap of a quarter of the mean span,
    as knots that meet early do not part again, then with `minimum_gap`.
    """
    counts = np.array([axis.interior + 1 for axis in axes])  # of spans
    differences, offsets = span_constraints(axes)
    final_gaps = np.full(counts.sum(), minimum_gap)
    early_gaps = np.maximum(np.repeat(0.25 / counts, counts), minimum_gap)
    scale = _loss_and_gradient(equal_spans(axes), points, axes)[0] or 1.0

    def scaled(fractions: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = _loss_and_gradient(fractions, points, axes)
        return loss / scale, gradient / scale

    def solve(start: np.ndarray, gaps: np.ndarray) -> OptimizeResult:
        return minimize(
            scaled,
            start,
            jac=True,
            method="SLSQP",
            constraints=LinearConstraint(differences, gaps - offsets, np.inf),  # pyright: ignore[reportArgumentType]  # scipy takes arrays
            options={"maxiter": max_iterations, "ftol": 1e-10},
        )

    results: list[OptimizeResult] = []
    evaluations = 1
    for start in _starts(axes, starts):
        apart = solve(start, early_gaps)
        results.append(solve(apart.x, final_gaps))
        evaluations += apart.nfev + results[-1].nfev
        if callback is not None:
            callback(len(results), starts, scale * min(float(result.fun) for result in results))
    best = min(results, key=lambda result: float(result.fun))
    fractions = np.split(best.x, [axes[0].interior])
    return FreeKnots(
        knots=(axes[0].knots(fractions[0]), axes[1].knots(fractions[1])),
        losses=tuple(float(result.fun) * scale for result in results),
        evaluations=evaluations,
        is_converged=bool(best.success),
    )


def _loss_and_gradient(
    fractions: np.ndarray, points: Tensor, axes: tuple[Axis, Axis]
) -> tuple[float, np.ndarray]:
    r"""Mean squared error with the best net for these knots, and its gradient.

    For given knots t the best net X(t) solves a linear problem; what remains is
    $\varphi(t) = \min_X \|S(X, t) - P\|^2$ with one unknown for each interior knot. As $\varphi$ is
    stationary in X, $\nabla \varphi$ is the gradient with X held fixed (Golub & Pereyra, SIAM J. Numer. Anal.
    10, 1973), and that is the exact knot derivative of `evaluate_surface`.
    """
    parts = np.split(fractions, [axes[0].interior])
    knots = [axis.knots(part) for axis, part in zip(axes, parts, strict=True)]
    net = project_net(axes[0].inverse(knots[0]), axes[1].inverse(knots[1]), points)
    with torch.enable_grad():
        for t in knots:
            t.requires_grad_()
        surface = evaluate_surface(net, knots[0], knots[1], axes[0].parameters, axes[1].parameters)
        loss = (surface - points).square().mean()
        gradients = torch.autograd.grad(loss, knots)
    pairs = zip(axes, gradients, strict=True)
    return loss.item(), np.concatenate([axis.fractions_gradient(g) for axis, g in pairs])


def _difference_matrix(interior: int) -> np.ndarray:
    """Matrix D with spans = D x + (0, ..., 0, 1) for knots 0, x, 1."""
    identity = np.eye(interior)
    return np.pad(identity, ((0, 1), (0, 0))) - np.pad(identity, ((1, 0), (0, 0)))


def span_constraints(axes: tuple[Axis, Axis]) -> tuple[np.ndarray, np.ndarray]:
    """D and d such that the spans of both directions are D x + d."""
    differences = np.asarray(block_diag(*(_difference_matrix(axis.interior) for axis in axes)))
    return differences, np.concatenate([np.eye(axis.interior + 1)[-1] for axis in axes])


def equal_spans(axes: tuple[Axis, Axis]) -> np.ndarray:
    """The interior knots of both directions with equal spans."""
    return np.concatenate([np.linspace(0, 1, axis.interior + 2)[1:-1] for axis in axes])


def _starts(axes: tuple[Axis, Axis], count: int) -> Iterator[np.ndarray]:
    """Equal spans, then spans from a Halton sequence: the same ones every time."""
    from scipy.stats import qmc  # here, as it would be a sixth of the package's import

    yield equal_spans(axes)
    sequence = qmc.Halton(sum(axis.interior + 1 for axis in axes), scramble=False)
    sequence.fast_forward(1)  # its first point is the origin
    for point in sequence.random(count - 1):
        parts = np.split(point + 0.2, [axes[0].interior + 1])  # no span below a sixth of another
        yield np.concatenate([np.cumsum(part / part.sum())[:-1] for part in parts])
