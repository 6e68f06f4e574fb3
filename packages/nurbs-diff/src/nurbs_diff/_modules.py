"""Curves and surfaces as torch modules whose parts are learned or fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from nurbs_diff import _checks
from nurbs_diff._basis import KnotGradient, check_knot_gradient
from nurbs_diff._evaluate import evaluate_curve, evaluate_surface
from nurbs_diff._parametrisations import BoundedWeights, ClampedKnots, Fixed

if TYPE_CHECKING:
    from jaxtyping import Float


class NurbsCurve(nn.Module):
    r"""A NURBS curve whose control points, weights and knots are each learned or fixed.

    Whatever an optimiser does, the curve stays valid: knots ordered and clamped, weights positive (see
    `NurbsSurface`, of which this is the version with one direction).

    Args:
        control_points: initial P.
        knots: initial t.
        weights: initial w > 0; None for a polynomial curve, or for ones if weights are learned.
        learn_control_points: whether P is a parameter.
        learn_weights: whether w is a parameter.
        learn_knots: whether the interior knots are.
        minimum_gap: least distance of learned knots, as a fraction of the domain.
        weight_range: no two learned weights differ by more than this factor.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.

    Raises:
        ValueError: counts that imply no degree, bad knots, knots to be learned that coincide or are not
            clamped, weights that are not positive.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> curve = NurbsCurve(torch.rand(6, 2), uniform_knots(6, degree=3), learn_knots=True)
    >>> curve(torch.linspace(0, 1, 10)).shape
    torch.Size([10, 2])
    """

    def __init__(
        self,
        control_points: Float[Tensor, "*batch n dim"],
        knots: Float[Tensor, "k"],
        weights: Float[Tensor, "*batch n"] | None = None,
        *,
        learn_control_points: bool = True,
        learn_weights: bool = False,
        learn_knots: bool = False,
        minimum_gap: float = 5e-4,
        weight_range: float = 100.0,
        knot_gradient: KnotGradient = "exact",
        bandwidth: float = 0.01,
    ) -> None:
        super().__init__()
        _checks.check_floating(control_points=control_points, knots=knots, weights=weights)
        _checks.check_control_points(control_points, "n, dim")
        check_knot_gradient(knot_gradient, bandwidth)
        self.control_points = nn.Parameter(
            control_points.detach().clone(), requires_grad=learn_control_points
        )
        self._weights = _weights_module(weights, control_points, learn_weights, weight_range)
        self._knots = _knots_module("knots", knots, control_points.shape[-2], learn_knots, minimum_gap)
        self.knot_gradient: KnotGradient = knot_gradient
        self.bandwidth = bandwidth

    @property
    def knots(self) -> Tensor:
        """The knots as they are now, differentiable."""
        return self._knots()

    @property
    def weights(self) -> Tensor | None:
        """The weights as they are now, differentiable; None for a polynomial curve."""
        return None if self._weights is None else self._weights()

    def forward(self, u: Float[Tensor, "q"]) -> Float[Tensor, "*batch q dim"]:
        """Points at the parameters `u`; see `evaluate_curve`."""
        return evaluate_curve(
            self.control_points,
            self.knots,
            u,
            weights=self.weights,
            knot_gradient=self.knot_gradient,
            bandwidth=self.bandwidth,
        )


class NurbsSurface(nn.Module):
    r"""A NURBS surface whose control points, weights and knots are each learned or fixed.

    Whatever an optimiser does, the surface stays valid. Learned interior knots come from a softmax and a
    cumulative sum, so they stay ordered, at least `minimum_gap` apart and inside clamped ends. Learned
    weights have geometric mean 1 and differ by at most `weight_range`. `state_dict()` and `.to()` carry
    everything; keep knots in float64 where spans are tiny, the points come in the dtype of the control points
    anyway.

    Args:
        control_points: initial P, any batch in front.
        knots_u: initial knots of the first direction.
        knots_v: initial knots of the second direction.
        weights: initial w > 0; None for a polynomial surface, or for ones if weights are learned.
        learn_control_points: whether P is a parameter.
        learn_weights: whether w is a parameter.
        learn_knots: whether the interior knots of both directions are.
        minimum_gap: least distance of learned knots, as a fraction of the domain.
        weight_range: no two learned weights differ by more than this factor.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.

    Raises:
        ValueError: counts that imply no degree, bad knots, knots to be learned that coincide or are not
            clamped, weights that are not positive.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots = uniform_knots(8, degree=3)
    >>> surface = NurbsSurface(torch.rand(8, 8, 3), knots, knots, learn_weights=True, learn_knots=True)
    >>> u = torch.linspace(0, 1, 64)
    >>> loss = (surface(u, u) - torch.rand(64, 64, 3)).square().mean()
    >>> loss.backward()
    """

    def __init__(
        self,
        control_points: Float[Tensor, "*batch n_u n_v dim"],
        knots_u: Float[Tensor, "k_u"],
        knots_v: Float[Tensor, "k_v"],
        weights: Float[Tensor, "*batch n_u n_v"] | None = None,
        *,
        learn_control_points: bool = True,
        learn_weights: bool = False,
        learn_knots: bool = False,
        minimum_gap: float = 5e-4,
        weight_range: float = 100.0,
        knot_gradient: KnotGradient = "exact",
        bandwidth: float = 0.01,
    ) -> None:
        super().__init__()
        _checks.check_floating(
            control_points=control_points, knots_u=knots_u, knots_v=knots_v, weights=weights
        )
        _checks.check_control_points(control_points, "n_u, n_v, dim")
        check_knot_gradient(knot_gradient, bandwidth)
        n_u, n_v = control_points.shape[-3:-1]
        self.control_points = nn.Parameter(
            control_points.detach().clone(), requires_grad=learn_control_points
        )
        self._weights = _weights_module(weights, control_points, learn_weights, weight_range)
        self._knots_u = _knots_module("knots_u", knots_u, n_u, learn_knots, minimum_gap)
        self._knots_v = _knots_module("knots_v", knots_v, n_v, learn_knots, minimum_gap)
        self.knot_gradient: KnotGradient = knot_gradient
        self.bandwidth = bandwidth

    @property
    def knots_u(self) -> Tensor:
        """The knots of the first direction as they are now, differentiable."""
        return self._knots_u()

    @property
    def knots_v(self) -> Tensor:
        """The knots of the second direction as they are now, differentiable."""
        return self._knots_v()

    @property
    def weights(self) -> Tensor | None:
        """The weights as they are now, differentiable; None for a polynomial surface."""
        return None if self._weights is None else self._weights()

    def forward(self, u: Float[Tensor, "r"], v: Float[Tensor, "s"]) -> Float[Tensor, "*batch r s dim"]:
        """Points on the grid u x v; see `evaluate_surface`."""
        return evaluate_surface(
            self.control_points,
            self.knots_u,
            self.knots_v,
            u,
            v,
            weights=self.weights,
            knot_gradient=self.knot_gradient,
            bandwidth=self.bandwidth,
        )


def _knots_module(name: str, knots: Tensor, n: int, is_learned: bool, minimum_gap: float) -> nn.Module:
    degree = _checks.degree_from_counts(name, knots, n)
    if is_learned:
        return ClampedKnots(name, knots, degree, minimum_gap)
    _checks.check_knots(name, knots, degree)
    return Fixed(knots)


def _weights_module(
    weights: Tensor | None, control_points: Tensor, is_learned: bool, weight_range: float
) -> nn.Module | None:
    if weights is None and is_learned:
        weights = control_points.new_ones(control_points.shape[:-1])
    _checks.check_weights(weights, control_points)
    if weights is None:
        return None
    return BoundedWeights(weights, weight_range) if is_learned else Fixed(weights)
