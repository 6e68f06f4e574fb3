"""What all spaces have in common: functions known by their values at nodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._base.autograd import differentiable_evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float

    from fem_diff._base.discrete import Tables


class NodalSpace(ABC):
    """Continuous functions that are polynomials of the degree on each element.

    Attributes:
        degree: 1, 2 or 3.
    """

    degree: int

    @property
    @abstractmethod
    def node_shape(self) -> tuple[int, ...]:
        """The shape of an array of nodal values."""

    @abstractmethod
    def nodes(self, *, like: Tensor | None = None) -> tuple[Float[Tensor, "*nodes"], ...]:
        """The coordinates of the nodes, one array per direction."""

    @abstractmethod
    def tabulate(self, points: int | None = None, *, like: Tensor) -> Tables:
        """The basis at the points of a rule, and its weights."""

    def check_degree(self) -> None:
        """Raises a ValueError for another degree than 1, 2 or 3."""
        is_integer = isinstance(self.degree, (int, np.integer)) and not isinstance(self.degree, bool)
        if not is_integer or self.degree not in (1, 2, 3):
            raise ValueError(f"`degree` must be 1, 2 or 3; got {self.degree!r}.")

    def interpolate(
        self, function: Callable[..., Tensor | float], *, like: Tensor | None = None
    ) -> Float[Tensor, "*batch_nodes"]:
        """The nodal values of `function(x, y)` (as many arguments as the mesh has directions).

        Args:
            function: takes the coordinates of the nodes as tensors and returns values that broadcast with
                them.
            like: gives dtype and device; float64 on the CPU if left out.
        """
        nodes = self.nodes(like=like)
        values = torch.as_tensor(function(*nodes)).to(nodes[0])
        return values.expand(np.broadcast_shapes(values.shape, self.node_shape))

    def from_nodes(self, values: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*batch_points"]:
        """Nodal values, interpolated at the quadrature points by the basis of the space."""
        like = torch.empty(0, dtype=values.dtype, device=values.device)
        (found,) = differentiable_evaluate(values, self.tabulate(like=like), gradient=False)
        return found
