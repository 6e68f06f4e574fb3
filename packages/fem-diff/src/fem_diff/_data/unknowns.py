"""What all problems know of their unknowns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._data.coefficients import check_batch

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from fem_diff._base.discrete import Tables
    from fem_diff._spaces import Space


class Unknowns:
    """A problem for u in a space, with given values at the fixed unknowns.

    Attributes:
        space: the space of each component of u.
        tables: basis matrices and weights at the quadrature points.
        batch: the common batch shape of the data.
        fixed: True at unknowns with given values; its shape is that of u without batch axes.
        boundary: the given values, zero elsewhere.
    """

    space: Space
    tables: Tables
    batch: tuple[int, ...]
    fixed: Bool[Tensor, "*unknowns"]
    boundary: Float[Tensor, "*batch_unknowns"]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.space.label}, batch={self.batch})"

    def impose(self, u: Float[Tensor, "*batch_unknowns"]) -> Float[Tensor, "*all_unknowns"]:
        """`u` with the given values of the problem in place of its own."""
        return torch.where(self.fixed, self.boundary, self.check_nodal("u", u))

    def check_nodal(self, name: str, u: Tensor) -> Tensor:
        """Returns `u`, after a check that it holds nodal values which fit the problem."""
        like, shape = self.tables.weights, tuple(self.fixed.shape)
        if not isinstance(u, Tensor) or (u.dtype, u.device) != (like.dtype, like.device):
            found = f"{u.dtype} on {u.device}" if isinstance(u, Tensor) else type(u).__name__
            raise TypeError(
                f"`{name}` must be a {like.dtype} tensor on {like.device} like the problem; got {found}."
            )
        if u.shape[-len(shape) :] != shape:
            what = "the nodes" if len(shape) == self.space.axes else "components and nodes"
            raise ValueError(f"`{name}` has shape {tuple(u.shape)}; its last axes must be {what} {shape}.")
        check_batch([(name, tuple(u.shape[: -len(shape)])), ("problem", self.batch)])
        return u
