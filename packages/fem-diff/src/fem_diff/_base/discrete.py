"""What boxes and simplices both offer: tables, domains, and parts of a boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Shaped
    from torch import Tensor


@runtime_checkable
class Tables(Protocol):
    """The basis at the points of a quadrature rule, on one device."""

    @property
    def weights(self) -> Float[Tensor, "*points"]:
        """Of the rule on the whole domain."""
        ...

    @property
    def axes(self) -> int:
        """The number of axes of an array of values at the nodes or points."""
        ...

    def evaluate(self, u: Tensor, *, gradient: bool = True, value: bool = True) -> list[Tensor]:
        """Partial derivatives (with `gradient`) and last the value (with `value`) at the points."""
        ...

    def assemble(self, parts: list[Tensor], *, gradient: bool = True, value: bool = True) -> Tensor:
        """The transpose of `evaluate`, from as many parts as that one returns to nodal values."""
        ...


@runtime_checkable
class Domain(Protocol):
    """What has nodes, elements and quadrature points: a space, or a part of its boundary."""

    @property
    def axes(self) -> int: ...
    @property
    def node_shape(self) -> tuple[int, ...]: ...
    @property
    def element_shape(self) -> tuple[int, ...]: ...
    @property
    def quadrature_shape(self) -> tuple[int, ...]: ...
    def quadrature_points(
        self, points: int | None = None, *, like: Tensor | None = None
    ) -> tuple[Tensor, ...]: ...
    def from_elements(self, values: Tensor) -> Tensor:
        """One value per element, brought to the quadrature points."""
        ...


@runtime_checkable
class Part(Domain, Protocol):
    """A part of the boundary of a space, made of faces of its elements."""

    def centres(self, *, like: Tensor) -> tuple[Tensor, ...]:
        """The coordinates of the centres of its faces, as many arrays as the mesh has directions."""
        ...

    def mask(self, *, like: Tensor) -> Bool[Tensor, "*nodes"]:
        """True at the nodes of the space that lie on it."""
        ...

    def tables(self, tables: Any) -> Tables:
        """The tables of the part, given those of the space."""
        ...

    def trace(self, u: Shaped[Tensor, "*batch_nodes"]) -> Shaped[Tensor, "*batch_part"]:
        """The values at its nodes."""
        ...

    def extend(self, values: Float[Tensor, "*batch_part"]) -> Float[Tensor, "*batch_nodes"]:
        """The transpose of `trace`: zero at all other nodes."""
        ...
