"""What defines a spline, as plain tensors: what knot operations and file readers return.

Each unpacks into its module, `NurbsSurface(*surface)`, and is a pytree, as every named tuple is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class Curve(NamedTuple):
    """A curve.

    Attributes:
        control_points: any batch in front.
        knots: non-decreasing; the degree follows from the counts.
        weights: positive; None for a polynomial curve.

    >>> import torch
    >>> from nurbs_diff import NurbsCurve, uniform_knots
    >>> NurbsCurve(*Curve(torch.rand(4, 2), uniform_knots(4, degree=3)))(torch.rand(5)).shape
    torch.Size([5, 2])
    """

    control_points: Float[Tensor, "*batch n dim"]
    knots: Float[Tensor, "*#batch k"]
    weights: Float[Tensor, "*batch n"] | None = None


class Surface(NamedTuple):
    """A tensor-product surface.

    Attributes:
        control_points: any batch in front.
        knots_u: of the first direction.
        knots_v: of the second direction.
        weights: positive; None for a polynomial surface.

    >>> import torch
    >>> from nurbs_diff import evaluate_surface, uniform_knots
    >>> surface = Surface(torch.rand(4, 3, 3), uniform_knots(4, degree=3), uniform_knots(3, degree=2))
    >>> evaluate_surface(*surface[:3], torch.rand(5), torch.rand(6), weights=surface.weights).shape
    torch.Size([5, 6, 3])
    """

    control_points: Float[Tensor, "*batch n_u n_v dim"]
    knots_u: Float[Tensor, "*#batch k_u"]
    knots_v: Float[Tensor, "*#batch k_v"]
    weights: Float[Tensor, "*batch n_u n_v"] | None = None


class Volume(NamedTuple):
    """A tensor-product volume.

    Attributes:
        control_points: any batch in front.
        knots_u: of the first direction.
        knots_v: of the second direction.
        knots_w: of the third direction.
        weights: positive; None for a polynomial volume.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots = uniform_knots(3, degree=1)
    >>> Volume(torch.rand(3, 3, 3, 1), knots, knots, knots).weights is None
    True
    """

    control_points: Float[Tensor, "*batch n_u n_v n_w dim"]
    knots_u: Float[Tensor, "*#batch k_u"]
    knots_v: Float[Tensor, "*#batch k_v"]
    knots_w: Float[Tensor, "*#batch k_w"]
    weights: Float[Tensor, "*batch n_u n_v n_w"] | None = None
