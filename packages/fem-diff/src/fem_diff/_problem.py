"""The Poisson problem with variable diffusivity and reaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._autograd import differentiable_assemble
from fem_diff._coefficients import (
    Data,
    at_points,
    check_batch,
    check_finite,
    check_sign,
    common_tensor,
    on_nodes,
)
from fem_diff._space import LagrangeSpace

if TYPE_CHECKING:
    from jaxtyping import Float


class Poisson:
    r"""$-\nabla\cdot(\nu\nabla u) + \sigma u = f$ in the box, $u = g$ on its boundary (DSA eq. 12, 13).

    Coefficients are given in any of these forms, with batch axes in front that broadcast with each other:

    - a number or a tensor without axes;
    - a callable of the coordinates, evaluated at the quadrature points (`boundary`: at the nodes);
    - a tensor of nodal values, last axes `space.node_shape`, interpolated by the basis of the space;
    - a tensor with one value per element, last axes `space.mesh.elements`;
    - a tensor of values at the quadrature points, last axes `space.quadrature_shape`.

    Where shapes coincide (a mesh of one element), nodal values are meant. Tensors keep their place in the
    autograd graph, and they decide dtype and device; without any, the problem is in float64 on the CPU.

    Args:
        space: the space of the solution.
        diffusivity: nu, positive.
        reaction: sigma, not negative.
        source: f.
        boundary: g, a number, a callable, or a tensor of nodal values of which those on the boundary are
            read.

    Raises:
        ValueError: a shape that is none of the above, batch axes that do not broadcast, values that are not
        finite,
            diffusivity that is not positive or reaction that is negative at a quadrature point.
        TypeError: tensors of different dtype or device, or not of floating point.

    Attributes:
        space: as given.
        batch: the common batch shape.
        tables: basis matrices and weights at the quadrature points.
        diffusivity: at the quadrature points, or broadcasting with them.
        reaction: the same; None where it is the number zero.
        load: the integrals of f against the basis functions.
        boundary: nodal values, zero inside.
        fixed: True at the nodes of the boundary.

    Example:
        >>> import torch
        >>> from fem_diff import LagrangeSpace, Poisson, unit_square
        >>> space = LagrangeSpace(unit_square(16), degree=2)
        >>> nu = torch.full((16, 16), 2.0, dtype=torch.float64)
        >>> Poisson(space, diffusivity=nu, source=lambda x, y: x * y, boundary=1.0)
        Poisson(Q2, elements=(16, 16), batch=())
    """

    def __init__(
        self,
        space: LagrangeSpace,
        *,
        diffusivity: Data = 1.0,
        reaction: Data = 0.0,
        source: Data = 0.0,
        boundary: Data = 0.0,
    ) -> None:
        if not isinstance(space, LagrangeSpace):
            raise TypeError(f"`space` must be a LagrangeSpace; got {type(space).__name__}.")
        data = {"diffusivity": diffusivity, "reaction": reaction, "source": source, "boundary": boundary}
        like = common_tensor(data)
        ndim = space.ndim
        self.space = space
        self.tables = space.tabulate(like=like)

        self.diffusivity = at_points("diffusivity", diffusivity, space, self.tables)
        check_finite("diffusivity", self.diffusivity, "at the quadrature points")
        hint = (
            " Nodal values of a degree above 1 can overshoot between the nodes: give it per element instead."
        )
        nodal = isinstance(diffusivity, Tensor) and diffusivity.shape[-ndim:] == space.node_shape
        check_sign(
            "diffusivity", self.diffusivity, zero=False, hint=hint if nodal and space.degree > 1 else ""
        )

        self.reaction = None
        if not (isinstance(reaction, (int, float)) and reaction == 0):
            self.reaction = at_points("reaction", reaction, space, self.tables)
            check_finite("reaction", self.reaction, "at the quadrature points")
            check_sign("reaction", self.reaction, zero=True)

        values = at_points("source", source, space, self.tables)
        check_finite("source", values, "at the quadrature points")
        self.load = differentiable_assemble((values * self.tables.weights,), self.tables, gradient=False)

        self.fixed = torch.ones(space.node_shape, dtype=torch.bool, device=like.device)
        self.fixed[(slice(1, -1),) * ndim] = False
        self.boundary = torch.where(self.fixed, on_nodes("boundary", boundary, space, like), 0.0)
        check_finite("boundary", self.boundary, "on the boundary")

        parts = {"diffusivity": self.diffusivity, "source": self.load, "boundary": self.boundary}
        if self.reaction is not None:
            parts["reaction"] = self.reaction
        self.batch = check_batch({name: tuple(part.shape[:-ndim]) for name, part in parts.items()})

    def __repr__(self) -> str:
        return f"Poisson(Q{self.space.degree}, elements={self.space.mesh.elements}, batch={self.batch})"

    def impose(self, u: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*all_nodes"]:
        """`u` with the boundary values of the problem in place of its own."""
        return torch.where(self.fixed, self.boundary, self.check_nodal("u", u))

    def check_nodal(self, name: str, u: Tensor) -> Tensor:
        """Returns `u`, after a check that it holds nodal values which fit the problem."""
        like = self.tables.weights
        if not isinstance(u, Tensor) or (u.dtype, u.device) != (like.dtype, like.device):
            found = f"{u.dtype} on {u.device}" if isinstance(u, Tensor) else type(u).__name__
            raise TypeError(
                f"`{name}` must be a {like.dtype} tensor on {like.device} like the problem; got {found}."
            )
        ndim = self.space.ndim
        if u.shape[-ndim:] != self.space.node_shape:
            raise ValueError(
                f"`{name}` has shape {tuple(u.shape)}; "
                f"its last axes must be the nodes {self.space.node_shape}."
            )
        check_batch({name: tuple(u.shape[:-ndim]), "problem": self.batch})
        return u
