"""Functions of a space: evaluation and plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fem_diff._boxes.space import LagrangeSpace
from fem_diff._simplices.space import SimplexSpace

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._spaces import Space


@dataclass(frozen=True)
class Field:
    """A function of a space, known by its nodal values.

    Args:
        space: the space.
        u: nodal values, last axes `space.node_shape`, batch axes in front.

    Raises:
        ValueError: `u` has other last axes.
    """

    space: Space
    u: Float[Tensor, "*batch_nodes"]

    def __post_init__(self) -> None:
        if self.u.shape[-self.space.axes :] != self.space.node_shape:
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
        numbers, basis = self.space.locate(points)
        nodal = self.u.flatten(-self.space.axes)
        return (nodal[..., numbers.to(nodal.device)] * basis.to(nodal)).sum(-1)

    def on_grid(self, *coordinates: Float[Tensor, " _"]) -> Float[Tensor, "*batch_points"]:
        """Values on the grid spanned by one array of coordinates per direction, axes in the same order.

        Raises:
            ValueError: another number of arrays than directions, or a coordinate outside the box.
        """
        if len(coordinates) != self.space.ndim:
            raise ValueError(
                f"on_grid needs {self.space.ndim} arrays of coordinates; got {len(coordinates)}."
            )
        space = self.space
        if not isinstance(space, LagrangeSpace):
            grid = torch.meshgrid(*coordinates, indexing="ij")
            flat = torch.stack([x.flatten() for x in grid], -1)
            return self.evaluate(flat).unflatten(-1, grid[0].shape)
        values = self.u
        for axis, x in enumerate(coordinates):
            nodes, basis = space.locate_along(axis, x.to(self.u.device))
            along = values.movedim(axis - space.ndim, -1)
            values = (along[..., nodes] * basis.to(along)).sum(-1).movedim(-1, axis - space.ndim)
        return values

    def plot(self, ax: Any = None, *, samples: int = 201) -> Any:
        """Draws the function: a line in one, a coloured map in two dimensions.

        Args:
            ax: matplotlib axes; new ones if left out.
            samples: points per direction at which it is evaluated; on triangles it is drawn from the nodes.

        Returns:
            The axes.

        Raises:
            ValueError: the field has batch axes or three directions.
            ImportError: matplotlib is missing.
        """
        space = self.space
        if self.u.dim() > space.axes:
            batch = tuple(self.u.shape[: -space.axes])
            raise ValueError(f"plot draws one sample; `u` has batch axes {batch}. Pick one first.")
        if space.ndim > 2:
            raise ValueError("plot draws one- and two-dimensional fields; take a slice with on_grid.")
        if ax is None:
            try:
                from matplotlib import pyplot
            except ImportError:
                raise ImportError(
                    'plot needs matplotlib. Install it with: pip install "fem-diff[plot]"'
                ) from None
            ax = pyplot.figure().add_subplot()
        nodal = self.u.detach()
        ax.set_xlabel("x")
        if isinstance(space, SimplexSpace):
            x, y = (c.numpy() for c in space.nodes())
            image = ax.tripcolor(x, y, space.linear_cells, nodal.cpu().numpy(), shading="gouraud")
            ax.set_aspect("equal")
        else:
            axes = [torch.linspace(a, b, samples).to(nodal) for a, b in space.bounds]
            values = Field(space, nodal).on_grid(*axes).cpu().numpy()
            if space.ndim == 1:
                ax.plot(axes[0].cpu().numpy(), values)
                ax.set_ylabel("u")
                return ax
            image = ax.imshow(values.T, origin="lower", extent=np.ravel(space.bounds))
        ax.figure.colorbar(image, ax=ax, label="u")
        ax.set_ylabel("y")
        return ax
