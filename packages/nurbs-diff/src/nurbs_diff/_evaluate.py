"""Points of NURBS curves and surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._basis import KnotGradient, check_knot_gradient, collocation
from nurbs_diff._reference import basis_by_recursion
from nurbs_diff._tensor_product import RationalProduct, contract, project

if TYPE_CHECKING:
    from jaxtyping import Float

Backend = Literal["torch", "reference"]


def evaluate_curve(
    control_points: Float[Tensor, "*batch n dim"],
    knots: Float[Tensor, "k"],
    u: Float[Tensor, "q"],
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
        knots: t, shared by the batch; the degree follows from the counts.
        u: parameters in [knots[p], knots[-p - 1]], both ends included.
        weights: w > 0, one for each control point; None for a polynomial curve.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points.

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
    _checks.check_floating(control_points=control_points, knots=knots, u=u, weights=weights)
    _checks.check_control_points(control_points, "n, dim")
    basis = _basis_along(
        "", control_points.shape[-2], knots, u, control_points, knot_gradient, bandwidth, backend
    )
    _checks.check_weights(weights, control_points)
    if weights is None:
        return torch.matmul(basis, control_points)
    weights = weights.to(control_points.dtype).unsqueeze(-1)
    return torch.matmul(basis, control_points * weights) / torch.matmul(basis, weights)


def evaluate_surface(
    control_points: Float[Tensor, "*batch n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    u: Float[Tensor, "r"],
    v: Float[Tensor, "s"],
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
    of the control points.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots_u: knots of the first direction, shared by the batch.
        knots_v: knots of the second direction, shared by the batch.
        u: parameters in [knots_u[p], knots_u[-p - 1]], both ends included.
        v: parameters in [knots_v[q], knots_v[-q - 1]], both ends included.
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
    _checks.check_floating(
        control_points=control_points, knots_u=knots_u, knots_v=knots_v, u=u, v=v, weights=weights
    )
    _checks.check_control_points(control_points, "n_u, n_v, dim")
    *batch, n_u, n_v, dim = control_points.shape
    basis_u = _basis_along("u", n_u, knots_u, u, control_points, knot_gradient, bandwidth, backend)
    basis_v = _basis_along("v", n_v, knots_v, v, control_points, knot_gradient, bandwidth, backend)
    _checks.check_weights(weights, control_points)

    net = control_points.reshape(-1, n_u, n_v, dim).permute(0, 3, 1, 2)
    if weights is None:
        points = contract(basis_u, basis_v, net)
    else:
        w = weights.to(control_points.dtype).reshape(-1, 1, n_u, n_v)
        net = torch.cat([net * w, w], dim=1)
        if backend == "reference":
            points = project(contract(basis_u, basis_v, net))
        else:
            points = RationalProduct.apply(basis_u, basis_v, net)
    return points.movedim(1, -1).reshape(*batch, len(u), len(v), dim)


def _basis_along(
    direction: str,
    count: int,
    knots: Tensor,
    u: Tensor,
    control_points: Tensor,
    knot_gradient: KnotGradient,
    bandwidth: float,
    backend: Backend,
) -> Tensor:
    """Checks one direction, "" for a curve; its collocation matrix in the dtype of the control points."""
    knots_name = f"knots_{direction}" if direction else "knots"
    u_name = direction or "u"
    degree = _checks.degree_from_counts(knots_name, knots, count)
    _checks.check_knots(knots_name, knots, degree)
    if u.ndim != 1:
        raise ValueError(f"`{u_name}` must have one dimension; got shape {tuple(u.shape)}. Flatten it.")
    _checks.check_parameters(u_name, u, knots_name, knots, degree)
    check_knot_gradient(knot_gradient, bandwidth)
    _checks.check_choice("backend", backend, _checks.BACKENDS)
    if backend == "torch":
        return collocation(knots, degree, u, knot_gradient, bandwidth).to(control_points.dtype)
    if knot_gradient == "gaussian":
        raise ValueError(
            '`backend="reference"` differentiates the recursion as it is; `knot_gradient="gaussian"` needs '
            '`backend="torch"`.'
        )
    return basis_by_recursion(knots.double(), degree, u.double()).to(control_points.dtype)
