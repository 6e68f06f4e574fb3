"""Points of NURBS curves, surfaces and volumes, on grids of parameters and singly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurbs_diff import _checks
from nurbs_diff._evaluation.directions import (
    Backend,
    Given,
    Options,
    check_arguments,
    coordinates_first,
    dense_bases,
)
from nurbs_diff._evaluation.points import evaluate_points
from nurbs_diff._evaluation.tensor_product import RationalProduct, contract, homogeneous, project

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    grid: bool = True,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    knot_gradient: KnotGradient = "exact",
    bandwidth: float = 0.01,
    backend: Backend = "torch",
) -> Float[Tensor, "*any dim"]:
    r"""Points of a B-spline or NURBS surface on the grid u x v, or at the pairs (u[i], v[i]).

    $$S(u, v) = \frac{\sum_{ij} N_{i,p}(u) N_{j,q}(v)\, w_{ij} P_{ij}}
                     {\sum_{ij} N_{i,p}(u) N_{j,q}(v)\, w_{ij}}$$

    The degrees follow from the counts: p = k_u - n_u - 1, q = k_v - n_v - 1. Differentiable, repeatedly, with
    respect to all six tensors together. The bases are computed in float64, the contraction runs in the dtype
    of the control points. A single point takes the (p + 1)(q + 1) control points around it, so its time does
    not depend on the size of the net; for the Gaussian knot gradient, which reaches further, and for the
    reference all control points take part.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots_u: knots of the first direction, shared by the batch or one vector for each sample.
        knots_v: knots of the second direction, likewise.
        u: parameters in [knots_u[p], knots_u[-p - 1]], both ends included; shared or of each sample.
        v: parameters in [knots_v[q], knots_v[-q - 1]], likewise.
        grid: whether to evaluate on the grid u x v, or at the pairs (u[i], v[i]), of which there must then be
            equally many.
        weights: w > 0, one for each control point; None for a polynomial surface.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points, shape (*batch, r, s, dim), with `grid=False` (*batch, r, dim). On a grid each coordinate
        is one contiguous image in memory; `.contiguous()` interleaves them.

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
    >>> cloud = torch.rand(100, 2)
    >>> evaluate_surface(torch.rand(4, 4, 3), knots, knots, *cloud.unbind(-1), grid=False).shape
    torch.Size([100, 3])
    """
    given = (Given("knots_u", knots_u, "u", u), Given("knots_v", knots_v, "v", v))
    options = Options(knot_gradient, bandwidth, backend)
    return _evaluate(control_points, given, weights, options, grid)


def evaluate_volume(
    control_points: Float[Tensor, "*batch n_u n_v n_w dim"],
    knots_u: Float[Tensor, "*#batch k_u"],
    knots_v: Float[Tensor, "*#batch k_v"],
    knots_w: Float[Tensor, "*#batch k_w"],
    u: Float[Tensor, "*#batch r"],
    v: Float[Tensor, "*#batch s"],
    w: Float[Tensor, "*#batch t"],
    *,
    grid: bool = True,
    weights: Float[Tensor, "*batch n_u n_v n_w"] | None = None,
    knot_gradient: KnotGradient = "exact",
    bandwidth: float = 0.01,
    backend: Backend = "torch",
) -> Float[Tensor, "*any dim"]:
    r"""Points of a B-spline or NURBS volume on the grid u x v x w, or at triples.

    $$V(u, v, w) = \frac{\sum_{ijk} N_i(u) N_j(v) N_k(w)\, w_{ijk} P_{ijk}}
                        {\sum_{ijk} N_i(u) N_j(v) N_k(w)\, w_{ijk}}$$

    As `evaluate_surface`, with one more direction. The points need not be three numbers: a density or any
    field over a box is a volume too.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots_u: knots of the first direction, shared by the batch or one vector for each sample.
        knots_v: knots of the second direction, likewise.
        knots_w: knots of the third direction, likewise.
        u: parameters in the domain of `knots_u`, both ends included; shared or of each sample.
        v: parameters in the domain of `knots_v`, likewise.
        w: parameters in the domain of `knots_w`, likewise.
        grid: whether to evaluate on the grid, or at the triples (u[i], v[i], w[i]); see `evaluate_surface`.
        weights: positive, one for each control point; None for a polynomial volume.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points, shape (*batch, r, s, t, dim), with `grid=False` (*batch, r, dim).

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

    Free-form deformation moves a cloud with the net around it:

    >>> knots, ticks = uniform_knots(3, degree=2, dtype=torch.float32), torch.linspace(0, 1, 3)
    >>> net = torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), -1)
    >>> cloud = torch.rand(100, 3)
    >>> moved = evaluate_volume(net, knots, knots, knots, *cloud.unbind(-1), grid=False)
    >>> torch.allclose(moved, cloud, atol=1e-6)
    True
    """
    given = (
        Given("knots_u", knots_u, "u", u),
        Given("knots_v", knots_v, "v", v),
        Given("knots_w", knots_w, "w", w),
    )
    options = Options(knot_gradient, bandwidth, backend)
    return _evaluate(control_points, given, weights, options, grid)


def _evaluate(
    control_points: Tensor,
    given: tuple[Given, ...],
    weights: Tensor | None,
    options: Options,
    grid: bool = True,
) -> Tensor:
    directions = check_arguments(control_points, given, weights, options)
    if not grid:
        _checks.check_equally_many(**{d.u_name: d.u for d in given})
        return evaluate_points(control_points, directions, weights, options)
    bases = dense_bases(directions, options, control_points.dtype)
    return evaluate_grid(control_points, bases, weights, options.backend)


def evaluate_grid(
    control_points: Tensor, bases: Sequence[Tensor], weights: Tensor | None, backend: str = "torch"
) -> Tensor:
    """Points of a spline from the collocation matrix of each direction, (q, n) or (b, q, n)."""
    net, w = coordinates_first(control_points, weights, len(bases))
    if w is None:
        points = contract(bases, net)
    elif backend == "torch":
        points = RationalProduct.apply(net, w, *bases)
    else:
        points = project(contract(bases, homogeneous(net, w)))
    points = points.movedim(1, -1)
    return points.reshape(*control_points.shape[: -len(bases) - 1], *points.shape[1:])
