"""Given values at nodes, extended to all of the box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._simplices.space import SimplexSpace

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from fem_diff._spaces import Space


def extended(
    u: Float[Tensor, "samples *nodes"], fixed: Bool[Tensor, "*nodes"], space: Space
) -> Float[Tensor, "samples *nodes"]:
    """Transfinite interpolation of the given values, which is as smooth as they are. Differentiable.

    The boolean sum of the linear interpolations between opposite sides of the box (Gordon & Hall 1973); of
    the constant ones where one of the two sides is free. A right-hand side that is left over from it is small
    where the solution is smooth, so a tolerance relative to it means something. On triangles and tetrahedra,
    which have no opposite sides, the extension is zero at all other nodes.

    Args:
        u: read on sides of the box whose nodes are all fixed.
        fixed: True at the nodes with given values.
        space: of the nodes.
    """
    if isinstance(space, SimplexSpace):
        return u
    rest = u
    for axis, x in enumerate(space.node_coordinates):
        held = [bool(fixed.select(axis, end).all()) for end in (0, -1)]
        if space.mesh.periodic[axis] or not any(held):
            continue
        low, high = (rest.narrow(axis + 1, k, 1) for k in (0, len(x) - 1))
        if all(held):
            share = torch.from_numpy((x - x[0]) / (x[-1] - x[0])).to(u)
            rest = rest - torch.lerp(low, high, share.view(-1, *(1,) * (space.ndim - 1 - axis)))
        else:
            rest = rest - (low if held[0] else high)
    return u - rest
