"""Least squares over control points, weights and knots together, by variable projection."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import LinearConstraint, minimize
from torch import Tensor

from nurbs_diff._evaluation.basis import basis_functions
from nurbs_diff._evaluation.grids import evaluate_surface
from nurbs_diff._fitting.free_knots import Axis, Callback, equal_spans, span_constraints
from nurbs_diff._fitting.least_squares import project_rational_net

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult


@dataclass(frozen=True)
class FreeWeights:
    """What the search found: the best knots and weights, the error from each start, the work done."""

    knots: tuple[Tensor, Tensor]
    weights: Tensor
    losses: tuple[float, ...]
    evaluations: int
    is_converged: bool


@dataclass(frozen=True)
class _Problem:
    """The unknowns are logarithms of weights, (n_u n_v), and, where they are free, fractions of knots."""

    points: Tensor
    axes: tuple[Axis, Axis]
    size: tuple[int, int]

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractions and logarithms."""
        count = len(x) - math.prod(self.size)
        return x[:count], x[count:]

    def weights(self, logarithms: np.ndarray) -> Tensor:
        return torch.as_tensor(logarithms).to(self.points).exp().reshape(self.size)

    def knots(self, fractions: np.ndarray) -> tuple[Tensor, Tensor]:
        first, second = np.split(fractions, [self.axes[0].interior])
        return self.axes[0].knots(first), self.axes[1].knots(second)

    def loss_and_gradient(
        self, knots: tuple[Tensor, Tensor], weights: Tensor, are_knots_free: bool
    ) -> tuple[float, np.ndarray]:
        """Mean squared error with the best net, and its gradient with the net held fixed.

        The error is stationary in the net, so that the gradient is that of the error of the best net.
        """
        u, v = (axis.parameters for axis in self.axes)
        bases = [
            basis_functions(t, axis.degree, axis.parameters) for t, axis in zip(knots, self.axes, strict=True)
        ]
        net = project_rational_net(bases[0], bases[1], weights, self.points)
        with torch.enable_grad():
            t_u, t_v = (t.detach().requires_grad_(are_knots_free) for t in knots)
            w = weights.detach().requires_grad_()
            surface = evaluate_surface(net, t_u, t_v, u, v, weights=w)
            loss = (surface - self.points).square().mean()
            gradients = torch.autograd.grad(loss, [w, t_u, t_v] if are_knots_free else [w])
        logarithms = (gradients[0] * weights).reshape(-1).cpu().numpy()
        fractions = [
            axis.fractions_gradient(g) for axis, g in zip(self.axes, gradients[1:], strict=are_knots_free)
        ]
        return loss.item(), np.concatenate([*fractions, logarithms])


def free_weights(
    points: Tensor,
    axes: tuple[Axis, Axis],
    size: tuple[int, int],
    knots: tuple[Tensor, Tensor],
    *,
    are_knots_free: bool,
    weight_range: float,
    minimum_gap: float,
    max_iterations: int,
    callback: Callback | None,
) -> FreeWeights:
    r"""Minimises the mean squared error over weights, and over knots too, the control points projected out.

    All weights start at 1. With given knots this is one run of L-BFGS-B over the logarithms of the weights
    within $\pm \tfrac12 \log$ range. With free knots there are two starts, the given knots (those that are
    best without weights) and equal spans, and from each the weights run alone first, then both by sequential
    quadratic programming.
    """
    problem = _Problem(points, axes, size)
    half_range = 0.5 * math.log(weight_range)
    count = math.prod(size)
    scale = problem.loss_and_gradient(knots, torch.ones(size).to(points), False)[0] or 1.0
    low, high = np.full(count, -half_range), np.full(count, half_range)

    def of_weights(fixed: tuple[Tensor, Tensor]) -> OptimizeResult:
        def scaled(x: np.ndarray) -> tuple[float, np.ndarray]:
            loss, gradient = problem.loss_and_gradient(fixed, problem.weights(x), False)
            return loss / scale, gradient / scale

        return minimize(
            scaled,
            np.zeros(count),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={"maxiter": max_iterations, "maxcor": 30, "ftol": 1e-9},
        )

    if not are_knots_free:
        result = of_weights(knots)
        loss = float(result.fun) * scale
        if callback is not None:
            callback(1, 1, loss)
        weights = problem.weights(result.x)
        return FreeWeights(knots, weights, (loss,), result.nfev + 1, bool(result.success))

    differences, offsets = span_constraints(axes)
    interior = differences.shape[1]
    spans = LinearConstraint(np.pad(differences, ((0, 0), (0, count))), minimum_gap - offsets, np.inf)  # pyright: ignore[reportArgumentType]  # scipy takes arrays
    bounds = [(0.0, 1.0)] * interior + list(zip(low, high, strict=True))

    def of_all(x: np.ndarray) -> tuple[float, np.ndarray]:
        fractions, logarithms = problem.split(x)
        loss, gradient = problem.loss_and_gradient(
            problem.knots(fractions), problem.weights(logarithms), True
        )
        return loss / scale, gradient / scale

    given = np.concatenate([axis.fractions(t) for axis, t in zip(axes, knots, strict=True)])
    starts = (given, equal_spans(axes))
    results: list[OptimizeResult] = []
    evaluations = 1
    for start in starts:
        first = of_weights(problem.knots(start))
        results.append(
            minimize(
                of_all,
                np.concatenate([start, first.x]),
                jac=True,
                method="SLSQP",
                bounds=bounds,
                constraints=spans,
                options={"maxiter": max_iterations, "ftol": 1e-8},
            )
        )
        evaluations += first.nfev + results[-1].nfev
        if callback is not None:
            callback(len(results), len(starts), scale * min(float(result.fun) for result in results))
    best = min(results, key=lambda result: float(result.fun))
    fractions, logarithms = problem.split(best.x)
    return FreeWeights(
        problem.knots(fractions),
        problem.weights(logarithms),
        tuple(float(result.fun) * scale for result in results),
        evaluations,
        bool(best.success),
    )
