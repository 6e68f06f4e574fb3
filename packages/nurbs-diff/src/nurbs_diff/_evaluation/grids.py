"""Points of NURBS curves, surfaces and volumes on grids of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurbs_diff._evaluation.directions import (
    Backend,
    Given,
    Options,
    check_arguments,
    coordinates_first,
    dense_bases,
)
from nurbs_diff._evaluation.tensor_product import RationalProduct, contract, homogeneous, project

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from nurbs_diff._evaluation.basis import KnotGradient


def evaluate_curve(
    control_points: Float[Tensor, "*batch n dim"],
    knots: Float[Tensor, "*#batch k"],
    u: Float[Tensor, "*#batch q"],
    *,
    weights: Float[Tensor, "*batch n"] | None = None,
    knot_gradient: KnotGradient = "exact",
    bandwidth: float = 0.01,
    backend: Backend = "torch",
) -> Float[Tensor, "*batch q dim"]:
    r"""Points of a B-spline or NURBS curve (DSA eq. 5).

    $$C(u) = \frac{\sum_i N_{i,p}(u)\, w_i P_i}{\sum_i N_{i,p}(u)\, w_i}, \qquad p = k - n - 1$$

    Differentiable, repeatedly, with respect to all four tensors together.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots: t, shared by the batch or one vector for each sample; the degree follows from the counts.
        u: parameters in [knots[p], knots[-p - 1]], both ends included; shared or of each sample.
        weights: w > 0, one for each control point; None for a polynomial curve.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points. In memory each coordinate is contiguous.

    Raises:
        ValueError: counts that imply no degree, bad knots, parameters outside the domain, weights not
            positive.
        TypeError: an argument is no float32 or float64 tensor.

    Equivalent to `scipy.interpolate.BSpline` for unit weights and to geomdl's `NURBS.Curve`. Piegl & Tiller,
    *The NURBS Book*, eq. 4.1.

    A quarter of the unit circle, exactly:

    >>> import torch
    >>> points = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> knots = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    >>> weights = torch.tensor([1.0, 0.5**0.5, 1.0])
    >>> evaluate_curve(points, knots, torch.linspace(0, 1, 5), weights=weights).norm(dim=-1).round(decimals=6)
    tensor([1., 1., 1., 1., 1.])
    """
    given = (Given("knots", knots, "u", u),)
    return _evaluate(control_points, given, weights, Options(knot_gradient, bandwidth, backend))


def evaluate_surface(
    control_points: Float[Tensor, "*batch n_u n_v dim"],
    knots_u: Float[Tensor, "*#batch k_u"],
    knots_v: Float[Tensor, "*#batch k_v"],
    u: Float[Tensor, "*#batch r"],
    v: Float[Tensor, "*#batch s"],
    *,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    knot_gradient: KnotGradient = "exact",
    bandwidth: float = 0.01,
    backend: Backend = "torch",
) -> Float[Tensor, "*batch r s dim"]:
    r"""Points of a B-spline or NURBS surface on the grid u x v.

    $$S(u, v) = \frac{\sum_{ij} N_{i,p}(u) N_{j,q}(v)\, w_{ij} P_{ij}}
                     {\sum_{ij} N_{i,p}(u) N_{j,q}(v)\, w_{ij}}$$

    The degrees follow from the counts: p = k_u - n_u - 1, q = k_v - n_v - 1. Differentiable, repeatedly, with
    respect to all six tensors together. The bases are computed in float64, the contraction runs in the dtype
    of the control points. For parameters not on a grid see `evaluate_surface_at`.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots_u: knots of the first direction, shared by the batch or one vector for each sample.
        knots_v: knots of the second direction, likewise.
        u: parameters in [knots_u[p], knots_u[-p - 1]], both ends included; shared or of each sample.
        v: parameters in [knots_v[q], knots_v[-q - 1]], likewise.
        weights: w > 0, one for each control point; None for a polynomial surface.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points. In memory each coordinate is one contiguous image; `.contiguous()` interleaves them.

    Raises:
        ValueError: counts that imply no degree, bad knots, parameters outside the domain, weights not
            positive.
        TypeError: an argument is no float32 or float64 tensor.

    Equivalent to geomdl's `NURBS.Surface.evaluate_list`. Piegl & Tiller, *The NURBS Book*, eq. 4.11.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots = uniform_knots(4, degree=3).requires_grad_()
    >>> u = torch.linspace(0, 1, 50)
    >>> points = evaluate_surface(torch.rand(4, 4, 3), knots, knots, u, u)
    >>> points.shape
    torch.Size([50, 50, 3])
    >>> points.sum().backward()  # knots.grad is exact
    """
    given = (Given("knots_u", knots_u, "u", u), Given("knots_v", knots_v, "v", v))
    return _evaluate(control_points, given, weights, Options(knot_gradient, bandwidth, backend))


def evaluate_volume(
    control_points: Float[Tensor, "*batch n_u n_v n_w dim"],
    knots_u: Float[Tensor, "*#batch k_u"],
    knots_v: Float[Tensor, "*#batch k_v"],
    knots_w: Float[Tensor, "*#batch k_w"],
    u: Float[Tensor, "*#batch r"],
    v: Float[Tensor, "*#batch s"],
    w: Float[Tensor, "*#batch t"],
    *,
    weights: Float[Tensor, "*batch n_u n_v n_w"] | None = None,
    knot_gradient: KnotGradient = "exact",
    bandwidth: float = 0.01,
    backend: Backend = "torch",
) -> Float[Tensor, "*batch r s t dim"]:
    r"""Points of a B-spline or NURBS volume on the grid u x v x w.

    $$V(u, v, w) = \frac{\sum_{ijk} N_i(u) N_j(v) N_k(w)\, w_{ijk} P_{ijk}}
                        {\sum_{ijk} N_i(u) N_j(v) N_k(w)\, w_{ijk}}$$

    As `evaluate_surface`, with one more direction. The points need not be three numbers: a density or any
    field over a box is a volume too. For parameters not on a grid see `evaluate_volume_at`.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots_u: knots of the first direction, shared by the batch or one vector for each sample.
        knots_v: knots of the second direction, likewise.
        knots_w: knots of the third direction, likewise.
        u: parameters in the domain of `knots_u`, both ends included; shared or of each sample.
        v: parameters in the domain of `knots_v`, likewise.
        w: parameters in the domain of `knots_w`, likewise.
        weights: positive, one for each control point; None for a polynomial volume.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points. In memory each coordinate is one contiguous image.

    Raises:
        ValueError: counts that imply no degree, bad knots, parameters outside the domain, weights not
            positive.
        TypeError: an argument is no float32 or float64 tensor.

    Equivalent to geomdl's `NURBS.Volume`.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots, u = uniform_knots(4, degree=2), torch.linspace(0, 1, 10)
    >>> evaluate_volume(torch.rand(4, 4, 4, 1), knots, knots, knots, u, u, u).shape
    torch.Size([10, 10, 10, 1])
    """
    given = (
        Given("knots_u", knots_u, "u", u),
        Given("knots_v", knots_v, "v", v),
        Given("knots_w", knots_w, "w", w),
    )
    return _evaluate(control_points, given, weights, Options(knot_gradient, bandwidth, backend))


def _evaluate(
    control_points: Tensor, given: tuple[Given, ...], weights: Tensor | None, options: Options
) -> Tensor:
    directions = check_arguments(control_points, given, weights, options)
    bases = dense_bases(directions, options, control_points.dtype)
    net, w = coordinates_first(control_points, weights, len(directions))
    if w is None:
        points = contract(bases, net)
    elif options.backend == "torch":
        points = RationalProduct.apply(net, w, *bases)
    else:
        points = project(contract(bases, homogeneous(net, w)))
    points = points.movedim(1, -1)
    return points.reshape(*control_points.shape[: -len(directions) - 1], *points.shape[1:])
