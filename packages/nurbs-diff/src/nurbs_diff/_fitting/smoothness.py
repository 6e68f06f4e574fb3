"""How much a surface bends: integrals of squared second derivatives, exact through the basis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._fitting.sparse_basis import Axis, TensorProduct

if TYPE_CHECKING:
    from jaxtyping import Float

Penalty = Literal["thin_plate", "laplacian"]
PENALTIES = ("thin_plate", "laplacian")

#: (order in u, order in v) of the two factors of each term, and its factor
_TERMS = {
    "thin_plate": (((2, 0), (2, 0), 1.0), ((1, 1), (1, 1), 2.0), ((0, 2), (0, 2), 1.0)),
    "laplacian": (((2, 0), (2, 0), 1.0), ((2, 0), (0, 2), 1.0), ((0, 2), (2, 0), 1.0), ((0, 2), (0, 2), 1.0)),
}


def bending_energy(
    control_points: Float[Tensor, "*batch n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    *,
    penalty: Penalty = "thin_plate",
) -> Float[Tensor, "*batch"]:
    r"""The integral over the domain of squared second derivatives of a B-spline surface.

    $$\int \|S_{uu}\|^2 + 2 \|S_{uv}\|^2 + \|S_{vv}\|^2 \quad\text{or}\quad \int \|S_{uu} + S_{vv}\|^2$$

    for `penalty="thin_plate"` and `"laplacian"`. A quadratic form of the control points, computed exactly by
    Gauss's rule on every span. Zero for a plane with parameters linear in its coordinates; the Laplacian is
    zero for other surfaces too, such as $uv$.

    Args:
        control_points: P, any batch in front. Differentiable.
        knots_u: knots of the first direction; no gradient goes to them.
        knots_v: knots of the second direction, likewise.
        penalty: which of the two.

    Returns:
        One energy for each surface.

    Raises:
        ValueError: counts that imply no degree, bad knots, an unknown penalty.
        TypeError: an argument is no float32 or float64 tensor.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots = uniform_knots(3, degree=2)
    >>> net = torch.tensor([0.0, 0.0, 1.0]).expand(3, 3).unsqueeze(-1)  # v squared
    >>> round(bending_energy(net, knots, knots).item(), 6)
    4.0
    """
    _checks.check_floating(control_points=control_points, knots_u=knots_u, knots_v=knots_v)
    _checks.check_control_points(control_points, "n_u, n_v, dim")
    _checks.check_choice("penalty", penalty, PENALTIES)
    axes: list[Axis] = []
    for name, knots, count in zip("uv", (knots_u, knots_v), control_points.shape[-3:-1], strict=True):
        degree = _checks.degree_from_counts(f"knots_{name}", knots, count)
        _checks.check_knots(f"knots_{name}", knots, degree)
        axes.append(Axis(knots.detach().double().cpu().numpy(), degree))
    total = control_points.new_zeros(control_points.shape[:-3])
    for (a, b), (c, d), factor in _TERMS[penalty]:
        gram_u, gram_v = (
            torch.from_numpy(axis.gram(*orders).toarray()).to(control_points)
            for axis, orders in zip(axes, ((a, c), (b, d)), strict=True)
        )
        moved = torch.einsum("ik,...kld,jl->...ijd", gram_u, control_points, gram_v)
        total = total + factor * (control_points * moved).sum((-3, -2, -1))
    return total


def bending_matrix(
    product: TensorProduct, penalty: Penalty, sides: tuple[float, float]
) -> scipy.sparse.csr_array:
    """The matrix of the energy on a rectangle with these sides, which the domain is mapped onto.

    Coordinates are measured in units of the geometric mean of the sides, so that the energy has the unit of
    a squared distance, as the mean squared error has.
    """
    mean = float(np.sqrt(sides[0] * sides[1]))
    low, high = product.lower, product.upper
    # a derivative with respect to length is one with respect to the parameter times this
    rates = (high - low) * mean / np.array(sides)
    area = float(np.prod(high - low))
    total = scipy.sparse.csr_array((product.u.count * product.v.count,) * 2)
    for (a, b), (c, d), factor in _TERMS[penalty]:
        scale = factor * rates[0] ** (a + c) * rates[1] ** (b + d) / area
        total = total + scale * scipy.sparse.kron(product.u.gram(a, c), product.v.gram(b, d), format="csr")
    return total.tocsr()
