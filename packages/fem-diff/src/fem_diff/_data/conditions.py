"""Boundary conditions, as a caller writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from fem_diff._data.coefficients import Data
from fem_diff._spaces import Space, sides_of

if TYPE_CHECKING:
    from fem_diff._base.discrete import Part

Where = Callable[..., Tensor] | None


@dataclass(frozen=True)
class Dirichlet:
    """u = g.

    Args:
        value: g, a number, a callable of the coordinates (evaluated at the nodes), or a tensor of nodal
            values with batch axes in front.
        where: takes the coordinates of nodes and returns True where the condition holds; everywhere if left
            out.

    At a node that several Dirichlet conditions share, such as a corner, the last one given counts.
    """

    value: Data = 0.0
    where: Where = None


@dataclass(frozen=True)
class Neumann:
    r"""$n \cdot \nu \nabla u = h$ with the outer normal n: what flows in through the boundary.

    Args:
        flux: h, a number, a callable of the coordinates (evaluated at quadrature points of the boundary) or a
            tensor: nodal values, one value per face, or values at the quadrature points of the side.
        where: takes the coordinates of the centres of faces and returns True for the faces on which the
            condition holds; all if left out.
    """

    flux: Data = 0.0
    where: Where = None


@dataclass(frozen=True)
class Robin:
    r"""$n \cdot \nu \nabla u + \alpha u = h$ with the outer normal n.

    Args:
        coefficient: alpha, not negative, in the forms of `Neumann.flux`.
        value: h, in the same forms.
        where: as for `Neumann`.
    """

    coefficient: Data
    value: Data = 0.0
    where: Where = None


Condition = Dirichlet | Neumann | Robin
OnePart = Data | Condition | Sequence[Condition]
Boundary = OnePart | Mapping[str, OnePart]


@dataclass(frozen=True)
class Placed:
    """A condition with its place.

    Attributes:
        name: of the argument that holds it, for messages.
        condition: what the caller gave; bare data is a Dirichlet value.
        side: None for the whole boundary.
        bare: whether the caller gave bare data.
    """

    name: str
    condition: Condition
    side: Part | None
    bare: bool

    @property
    def data(self) -> dict[str, Data]:
        """What the condition holds, by the name it has in messages."""
        fields = {Dirichlet: ("value",), Neumann: ("flux",), Robin: ("coefficient", "value")}
        return {self.label(field): getattr(self.condition, field) for field in fields[type(self.condition)]}

    def label(self, field: str) -> str:
        """The name of a field of the condition."""
        return self.name if self.bare else f"{self.name}.{field}"


def placed(boundary: Boundary, space: Space) -> list[Placed]:
    """Every condition in the order given.

    Raises:
        ValueError: a side that the mesh does not have.
        TypeError: a sequence that holds something else than conditions.
    """
    if not isinstance(boundary, Mapping):
        return _listed("boundary", boundary, None)
    sides = sides_of(space)
    found: list[Placed] = []
    for name, part in boundary.items():
        if name not in sides:
            listed = ", ".join(map(repr, sides)) or "none"
            raise ValueError(f"`boundary` names the side {name!r}; the sides of this mesh are {listed}.")
        found += _listed(f"boundary[{name!r}]", part, sides[name])
    return found


def _listed(name: str, part: OnePart, side: Part | None) -> list[Placed]:
    if isinstance(part, Condition):
        return [Placed(name, part, side, bare=False)]
    if not isinstance(part, Sequence):
        return [Placed(name, Dirichlet(part), side, bare=True)]
    for k, condition in enumerate(part):
        if not isinstance(condition, Condition):
            raise TypeError(
                f"`{name}`[{k}] is of type {type(condition).__name__}; a list holds Dirichlet, Neumann "
                "and Robin conditions."
            )
    many = len(part) > 1
    return [
        Placed(f"{name}[{k}]" if many else name, condition, side, bare=False)
        for k, condition in enumerate(part)
    ]
