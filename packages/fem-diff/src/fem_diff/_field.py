"""Functions of a space: evaluation and plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fem_diff._reference import lagrange_basis

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._space import LagrangeSpace


@dataclass(frozen=True)
class Field:
    """A function of a space, known by its nodal values.

    Args:
        space: the space.
        u: nodal values, last axes `space.node_shape`, batch axes in front.

    Raises:
        ValueError: `u` has other last axes.
    """

    space: LagrangeSpace
    u: Float[Tensor, "*batch_nodes"]

    def __post_init__(self) -> None:
        if self.u.shape[-self.space.ndim :] != self.space.node_shape:
            raise ValueError(
                f"`u` has shape {tuple(self.u.shape)}; "
                f"its last axes must be the nodes {self.space.node_shape}."
            )

    def evaluate(self, points: Float[Tensor, "p ndim"]) -> Float[Tensor, "*batch p"]:
        """Values at points of the box, differentiable in the nodal values.

        Args:
            points: coordinates, one row per point.

        Raises:
            ValueError: a point has another number of coordinates or lies outside the box.
        """
        ndim = self.space.ndim
        if points.dim() != 2 or points.shape[1] != ndim:
            raise ValueError(
                f"`points` has shape {tuple(points.shape)}; it must be (p, {ndim}), one row per point."
            )
        numbers = torch.zeros(len(points), 1, dtype=torch.int64, device=self.u.device)
        factors = self.u.new_ones(len(points), 1)
        for axis in range(ndim):
            nodes, basis = self._along(axis, points[:, axis])
            numbers = (numbers[:, :, None] * self.space.node_shape[axis] + nodes[:, None, :]).flatten(1)
            factors = (factors[:, :, None] * basis[:, None, :]).flatten(1)
        return (self.u.flatten(-ndim)[..., numbers] * factors).sum(-1)

    def on_grid(self, *coordinates: Float[Tensor, " _"]) -> Float[Tensor, "*batch_points"]:
        """Values on the grid spanned by one array of coordinates per direction, axes in the same order.

        Raises:
            ValueError: another number of arrays than directions, or a coordinate outside the box.
        """
        if len(coordinates) != self.space.ndim:
            raise ValueError(
                f"on_grid needs {self.space.ndim} arrays of coordinates; got {len(coordinates)}."
            )
        values = self.u
        for axis, x in enumerate(coordinates):
            nodes, basis = self._along(axis, x)
            along = values.movedim(axis - self.space.ndim, -1)
            values = (along[..., nodes] * basis).sum(-1).movedim(-1, axis - self.space.ndim)
        return values

    def plot(self, ax: Any = None, *, samples: int = 201) -> Any:
        """Draws the function: a line in one, a coloured map in two dimensions.

        Args:
            ax: matplotlib axes; new ones if left out.
            samples: points per direction at which it is evaluated.

        Returns:
            The axes.

        Raises:
            ValueError: the field has batch axes or three directions.
            ImportError: matplotlib is missing.
        """
        ndim = self.space.ndim
        if self.u.dim() > ndim:
            raise ValueError(
                f"plot draws one sample; `u` has batch axes {tuple(self.u.shape[:-ndim])}. Pick one first."
            )
        if ndim > 2:
            raise ValueError("plot draws one- and two-dimensional fields; take a slice with on_grid.")
        if ax is None:
            try:
                from matplotlib import pyplot
            except ImportError:
                raise ImportError(
                    'plot needs matplotlib. Install it with: pip install "fem-diff[plot]"'
                ) from None
            ax = pyplot.figure().add_subplot()
        like = self.u.detach()
        axes = [torch.linspace(a, b, samples).to(like) for a, b in self.space.mesh.bounds]
        values = Field(self.space, like).on_grid(*axes).cpu().numpy()
        ax.set_xlabel("x")
        if ndim == 1:
            ax.plot(axes[0].cpu().numpy(), values)
            ax.set_ylabel("u")
        else:
            image = ax.imshow(values.T, origin="lower", extent=np.ravel(self.space.mesh.bounds))
            ax.figure.colorbar(image, ax=ax, label="u")
            ax.set_ylabel("y")
        return ax

    def _along(self, axis: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """The nodes of the cell that holds each coordinate, and the basis values there."""
        mesh, degree = self.space.mesh, self.space.degree
        a, b = mesh.bounds[axis]
        outside = ~((x >= a) & (x <= b))
        if outside.any():
            k = int(outside.nonzero()[0])
            raise ValueError(
                f"coordinate {k} along axis {axis} is {float(x[k]):g}; the box spans [{a:g}, {b:g}]."
            )
        place = x.detach().cpu().numpy().astype(np.float64)
        starts = mesh.vertices[axis][:-1]
        cell = np.maximum(np.searchsorted(starts, place, side="right") - 1, 0)
        basis, _ = lagrange_basis(degree, 2 * (place - starts[cell]) / mesh.cell_widths[axis][cell] - 1)
        nodes = (cell[:, None] * degree + np.arange(degree + 1)) % self.space.node_shape[axis]
        return torch.from_numpy(nodes).to(self.u.device), torch.from_numpy(basis).to(self.u)
