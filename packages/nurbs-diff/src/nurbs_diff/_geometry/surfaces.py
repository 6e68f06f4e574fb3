"""Normals, fundamental forms, curvatures and area of surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nurbs_diff._derivatives.derivatives import surface_derivatives
from nurbs_diff._derivatives.partials import Directions, checked_directions, evaluate_partials
from nurbs_diff._geometry.quadrature import boxes_between, check_rule, integrate, refine

if TYPE_CHECKING:
    from jaxtyping import Float


NEAR_POLE = 1e-6  # of the domain: how far from a pole its limit may be asked for


class SurfaceCurvatures(NamedTuple):
    """How a surface bends; signs are with respect to the normal S_u x S_v.

    Attributes:
        gaussian: product of the principal curvatures.
        mean: half their sum; negative where the surface bends away from the normal, as a sphere with outward
            normals does.
        principal: the larger, then the smaller.

    >>> import torch
    >>> SurfaceCurvatures(torch.ones(2), -torch.ones(2), -torch.ones(2, 2)).principal.shape
    torch.Size([2, 2])
    """

    gaussian: Float[Tensor, "..."]
    mean: Float[Tensor, "..."]
    principal: Float[Tensor, "... 2"]


def surface_normals(
    control_points: Float[Tensor, "*batch n_u n_v 3"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    u: Float[Tensor, "r"],
    v: Float[Tensor, "s"],
    *,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    grid: bool = True,
) -> Float[Tensor, "*batch_and_parameters 3"]:
    r"""Unit normals $S_u \times S_v / \lvert S_u \times S_v \rvert$, poles included.

    At a pole, where an edge of the domain collapses to a point, $S_u \times S_v$ vanishes. There the limit
    from inside the domain is returned, by the rule of l'Hospital the direction of the derivative of
    $S_u \times S_v$ into the domain. It is used below $\sqrt\varepsilon$ of the bound that the control net
    sets.

    Args:
        control_points: P in three dimensions, any batch in front.
        knots_u: knots of the first direction.
        knots_v: knots of the second direction.
        u: parameters of the first direction.
        v: parameters of the second direction.
        weights: w > 0; None for a polynomial surface.
        grid: on the grid u x v, or at the points (u[i], v[i]); see `surface_derivatives`.

    Returns:
        Normals of length 1, shape (*batch, r, s, 3), with `grid=False` (*batch, r, 3).

    Raises:
        ValueError: as `surface_derivatives`; or a place where neither the cross product nor its first
            derivative into the domain gives a direction: a singular point inside, a corner in which both
            edges collapse. (On an accelerator the normal there is NaN.)

    >>> import torch
    >>> flat = torch.tensor([[[0.0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 0]]])
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> surface_normals(flat, knots, knots, torch.tensor([0.5]), torch.tensor([0.5])).squeeze()
    tensor([0., 0., 1.])
    """
    first = surface_derivatives(control_points, knots_u, knots_v, u, v, order=1, weights=weights, grid=grid)
    check_three_dimensions(control_points)
    cross = torch.linalg.cross(first[1, 0], first[0, 1])
    length = torch.linalg.vector_norm(cross, dim=-1, keepdim=True)
    least = _least_cross(cross, control_points, knots_u, knots_v)
    is_pole = length.detach() <= least
    if cross.device.type == "cpu" and not bool(is_pole.any()):
        return cross / length
    limit = _limit_of_cross(control_points, knots_u, knots_v, u, v, weights, grid)
    limit_length = torch.linalg.vector_norm(limit, dim=-1, keepdim=True)
    is_singular = is_pole & ~(limit_length.detach() > least)
    _check_nowhere(is_singular.squeeze(-1), u, v, grid, "the surface has no normal there, S_u x S_v = 0")
    good_cross = torch.where(is_pole, 1.0, length)  # the inner `where`: no 0/0 reaches the derivative
    good_limit = torch.where(is_pole & ~is_singular, limit_length, 1.0)
    normals = torch.where(is_pole, limit / good_limit, cross / good_cross)
    return torch.where(is_singular, torch.nan, normals)


def first_fundamental_form(
    control_points: Float[Tensor, "*batch n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    u: Float[Tensor, "r"],
    v: Float[Tensor, "s"],
    *,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    grid: bool = True,
) -> Float[Tensor, "*batch_and_parameters 2 2"]:
    r"""The metric, a symmetric matrix of the inner products of S_u and S_v.

    $$\mathrm I = \begin{pmatrix} E & F \\ F & G \end{pmatrix}, \qquad E = S_u \cdot S_u, \quad
      F = S_u \cdot S_v, \quad G = S_v \cdot S_v$$

    Arguments, shapes and errors as `surface_derivatives`, in any dimension. Defined at poles too, where it is
    singular.

    >>> import torch
    >>> flat = torch.tensor([[[0.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [1.0, 2.0]]])
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> first_fundamental_form(flat, knots, knots, torch.tensor([0.5]), torch.tensor([0.5])).squeeze()
    tensor([[1., 0.],
            [0., 4.]])
    """
    first = surface_derivatives(control_points, knots_u, knots_v, u, v, order=1, weights=weights, grid=grid)
    jacobian = torch.stack([first[1, 0], first[0, 1]], -2)
    return jacobian @ jacobian.mT


def second_fundamental_form(
    control_points: Float[Tensor, "*batch n_u n_v 3"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    u: Float[Tensor, "r"],
    v: Float[Tensor, "s"],
    *,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    grid: bool = True,
) -> Float[Tensor, "*batch_and_parameters 2 2"]:
    r"""The components of the second derivatives along the normal n, a symmetric matrix.

    $$\mathrm{II} = \begin{pmatrix} L & M \\ M & N \end{pmatrix}, \qquad L = S_{uu} \cdot n, \quad
      M = S_{uv} \cdot n, \quad N = S_{vv} \cdot n$$

    Arguments, shapes and errors as `surface_normals`; at poles with the limit of the normal.

    >>> import torch
    >>> saddle = torch.tensor([[[0.0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 1]]])  # z = x y
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> second_fundamental_form(saddle, knots, knots, torch.tensor([0.0]), torch.tensor([0.0])).squeeze()
    tensor([[0., 1.],
            [1., 0.]])
    """
    spline = (control_points, knots_u, knots_v, u, v)
    normals = surface_normals(*spline, weights=weights, grid=grid)
    second = surface_derivatives(*spline, order=2, weights=weights, grid=grid)
    uu, uv, vv = ((second[index] * normals).sum(-1) for index in ((2, 0), (1, 1), (0, 2)))
    return torch.stack([torch.stack([uu, uv], -1), torch.stack([uv, vv], -1)], -2)


def surface_curvatures(
    control_points: Float[Tensor, "*batch n_u n_v 3"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    u: Float[Tensor, "r"],
    v: Float[Tensor, "s"],
    *,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    grid: bool = True,
) -> SurfaceCurvatures:
    r"""Gaussian, mean and principal curvatures.

    They are the determinant, half the trace and the eigenvalues of the shape operator. With the Cholesky
    factor L of the metric its matrix $W = L^{-1}\,\mathrm{II}\,L^{-T}$ is symmetric, and
    $\kappa_{1,2} = H \pm \lvert((W_{11} - W_{22}) / 2, W_{12})\rvert$ cancels nothing at umbilics. There, as
    everywhere on a sphere, the principal curvatures have no derivative; that of their mean is returned for
    both.

    Args:
        control_points: P in three dimensions, any batch in front.
        knots_u: knots of the first direction.
        knots_v: knots of the second direction.
        u: parameters of the first direction.
        v: parameters of the second direction.
        weights: w > 0; None for a polynomial surface.
        grid: on the grid u x v, or at the points (u[i], v[i]); see `surface_derivatives`.

    Returns:
        Curvatures in units of 1 / length (Gaussian: 1 / length^2).

    Raises:
        ValueError: as `surface_derivatives`; or a place where S_u x S_v = 0, poles included: there the
            parametrisation says nothing about curvature; evaluate a little beside it. (On an accelerator the
            values there are NaN or infinite.)

    >>> import torch
    >>> saddle = torch.tensor([[[0.0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 1]]])  # z = x y
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> curvatures = surface_curvatures(saddle, knots, knots, torch.tensor([0.0]), torch.tensor([0.0]))
    >>> curvatures.gaussian.item(), curvatures.mean.item(), curvatures.principal.squeeze()
    (-1.0, 0.0, tensor([ 1., -1.]))
    """
    partials = surface_derivatives(
        control_points, knots_u, knots_v, u, v, order=2, weights=weights, grid=grid
    )
    check_three_dimensions(control_points)
    cross = torch.linalg.cross(partials[1, 0], partials[0, 1])
    length = torch.linalg.vector_norm(cross, dim=-1)
    least = _least_cross(cross, control_points, knots_u, knots_v)
    problem = "the parametrisation is singular there, S_u x S_v = 0, and has no curvature"
    _check_nowhere(length.detach() <= least[..., 0], u, v, grid, problem)
    uu, uv, vv = ((partials[index] * cross).sum(-1) / length for index in ((2, 0), (1, 1), (0, 2)))
    # Cholesky factor of the metric: L = ((a, 0), (b, c)), with a c = |S_u x S_v| free of cancellation.
    a = torch.linalg.vector_norm(partials[1, 0], dim=-1)
    b = (partials[1, 0] * partials[0, 1]).sum(-1) / a
    c = length / a
    w11 = uu / a**2
    w12 = (uv - b / a * uu) / (a * c)
    w22 = (vv - 2 * b / a * uv + (b / a) ** 2 * uu) / c**2
    mean = (w11 + w22) / 2
    spread = torch.linalg.vector_norm(torch.stack([(w11 - w22) / 2, w12], -1), dim=-1)
    principal = torch.stack([mean + spread, mean - spread], -1)
    return SurfaceCurvatures(w11 * w22 - w12**2, mean, principal)


def surface_area(
    control_points: Float[Tensor, "*batch n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    *,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    order: int = 8,
    tolerance: float | None = 1e-8,
) -> Float[Tensor, "*batch"]:
    r"""Area $\int\!\!\int \sqrt{E G - F^2}\, du\, dv$ by Gauss-Legendre quadrature between knots.

    Differentiable with respect to all tensors.

    Args:
        control_points: P, dim >= 2, any batch in front.
        knots_u: knots of the first direction.
        knots_v: knots of the second direction.
        weights: w > 0; None for a polynomial surface.
        order: nodes in each direction for each pair of spans; the error falls as h^(2 order).
        tolerance: relative error. A box is quartered until it and its parts agree to its share of it. None
            for one rule on each box.

    Returns:
        The areas, computed in float64 and returned in the dtype of the control points.

    Raises:
        ValueError: no spline or a bad rule.

    >>> import torch
    >>> flat = torch.tensor([[[0.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [1.0, 2.0]]])
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> surface_area(flat, knots, knots)
    tensor(2.)
    """
    check_rule(order, tolerance)
    directions = checked_directions(control_points, weights, knots_u, knots_v)
    points = control_points.double()

    def element(nodes: tuple[Tensor, ...]) -> Tensor:
        return area_element(points, weights, directions, nodes)

    boxes = boxes_between([distinct_breakpoints(t, p) for t, p in zip(*directions, strict=True)])
    if tolerance is not None:
        boxes = refine(element, boxes, order, tolerance)
    return integrate(element, boxes, order).to(control_points.dtype)


def area_element(
    points: Tensor, weights: Tensor | None, directions: Directions, nodes: tuple[Tensor, ...]
) -> Tensor:
    """The square root of E G - F^2 at single points."""
    partials = evaluate_partials(points, weights, directions, nodes, 1, grid=False)
    s_u, s_v = partials[1, 0], partials[0, 1]
    if points.shape[-1] == 3:
        return torch.linalg.vector_norm(torch.linalg.cross(s_u, s_v), dim=-1)
    pairs = torch.triu_indices(points.shape[-1], points.shape[-1], 1, device=points.device)
    minors = s_u[..., pairs[0]] * s_v[..., pairs[1]] - s_u[..., pairs[1]] * s_v[..., pairs[0]]
    return torch.linalg.vector_norm(minors, dim=-1)


def distinct_breakpoints(knots: Tensor, degree: int) -> Tensor:
    """The knots of the domain without repetitions, differentiable."""
    inside = knots[degree : len(knots) - degree]
    is_new = torch.ones_like(inside, dtype=torch.bool)
    is_new[1:] = inside[1:] > inside[:-1]
    return inside[is_new]


def check_three_dimensions(control_points: Tensor) -> None:
    """Raises unless there is a cross product."""
    if control_points.shape[-1] != 3:
        raise ValueError(
            f"`control_points` must have three dimensions for normals and curvatures; got "
            f"{control_points.shape[-1]}."
        )


def _least_cross(cross: Tensor, control_points: Tensor, knots_u: Tensor, knots_v: Tensor) -> Tensor:
    """Below this |S_u x S_v| counts as zero: the root of eps times a scale set by net and domain.

    At that size the rounding of a cross product that is computed and the error of a limit that is taken
    instead are alike.
    """
    points = control_points.detach()
    scale = points.new_full(points.shape[:-3], torch.finfo(points.dtype).eps ** 0.5)
    for axis, knots in ((-3, knots_u), (-2, knots_v)):
        n = points.shape[axis]
        degree = len(knots) - n - 1
        lengths = torch.linalg.vector_norm(points.diff(dim=axis), dim=-1).flatten(-2)
        longest = torch.cat([lengths, torch.zeros_like(scale).unsqueeze(-1)], -1).amax(-1)
        scale = scale * (n - 1) * longest / (knots[-degree - 1] - knots[degree]).detach().to(scale.dtype)
    return scale.reshape(*scale.shape, *[1] * (cross.ndim - scale.ndim))


def _limit_of_cross(
    control_points: Tensor,
    knots_u: Tensor,
    knots_v: Tensor,
    u: Tensor,
    v: Tensor,
    weights: Tensor | None,
    grid: bool,
) -> Tensor:
    """The derivative of S_u x S_v into the domain beside its ends; zero away from them."""
    partials = surface_derivatives(
        control_points, knots_u, knots_v, u, v, order=2, weights=weights, grid=grid
    )
    s_u, s_v, s_uu, s_uv, s_vv = (partials[i] for i in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2)))
    along_u = torch.linalg.cross(s_uu, s_v) + torch.linalg.cross(s_u, s_uv)
    along_v = torch.linalg.cross(s_uv, s_v) + torch.linalg.cross(s_u, s_vv)
    signs = []
    for axis, (x, knots) in enumerate(((u, knots_u), (v, knots_v))):
        degree = len(knots) - control_points.shape[axis - 3] - 1
        low, high = knots[degree].to(x.dtype), knots[-degree - 1].to(x.dtype)
        near = NEAR_POLE * (high - low)
        signs.append((x <= low + near).to(s_u.dtype) - (x >= high - near).to(s_u.dtype))
    sign_u = signs[0][:, None, None] if grid else signs[0][:, None]
    return sign_u * along_u + signs[1][:, None] * along_v


def _check_nowhere(is_bad: Tensor, u: Tensor, v: Tensor, grid: bool, problem: str) -> None:
    """Names the first place that is bad; on an accelerator values are not read."""
    if is_bad.device.type != "cpu" or not bool(is_bad.any()):
        return
    place = torch.nonzero(is_bad)[0].tolist()
    i, j = (place[-2], place[-1]) if grid else (place[-1], place[-1])
    raise ValueError(
        f"(u[{i}], v[{j}]) = ({float(u[i]):g}, {float(v[j]):g}): {problem}. Move the parameters, or the "
        f"control points."
    )
