"""Boundary conditions, brought to nodes and quadrature points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._base.autograd import differentiable_assemble, plain
from fem_diff._data.coefficients import Data, at_points, check_batch, check_finite, check_sign, on_nodes
from fem_diff._data.conditions import Dirichlet, Neumann, Placed, Where
from fem_diff._spaces import boundary_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float

    from fem_diff._base.discrete import Part, Tables
    from fem_diff._spaces import Space

ON_FACES = "at the quadrature points of the boundary"


@dataclass(frozen=True)
class Prepared:
    """What the boundary conditions of a problem come to.

    Attributes:
        fixed: True at the nodes with a Dirichlet value.
        values: nodal, zero at the other nodes.
        load: the integrals of Neumann and Robin data against the basis functions, and those of their absolute
            values; None without such data.
        robin: sides with Robin coefficients at their quadrature points.
        batches: the batch axes of all data, by name.
    """

    fixed: Bool[Tensor, "*nodes"]
    values: Float[Tensor, "*batch_nodes"]
    load: tuple[Float[Tensor, "*load_nodes"], Float[Tensor, "*load_nodes"]] | None
    robin: tuple[tuple[Part, Float[Tensor, "..."]], ...]
    batches: tuple[tuple[str, tuple[int, ...]], ...]


def prepare(conditions: list[Placed], space: Space, tables: Tables) -> Prepared:
    """Evaluates the conditions, and checks their data."""
    like = tables.weights
    given: list[tuple[Tensor, Tensor]] = []
    loads: list[tuple[Tensor, Tensor]] = []
    batches: list[tuple[str, tuple[int, ...]]] = []
    robin: list[tuple[Part, Tensor]] = []
    for placed in conditions:
        condition = placed.condition
        sides = boundary_of(space) if placed.side is None else [placed.side]
        _check_whether_there_is_one(placed, sides)
        if isinstance(condition, Dirichlet):
            given.append(_dirichlet(placed, condition, sides, space, like))
            batches.append((placed.label("value"), tuple(given[-1][1].shape[: -space.axes])))
            continue
        for side in sides:
            on_side = side.tables(tables)
            mask = None if condition.where is None else _mask(placed, condition.where, side, like)

            def points(
                field: str, data: Data, placed: Placed = placed, side: Part = side, mask: Tensor | None = mask
            ) -> Tensor:
                name = placed.label(field)
                found = at_points(name, _of_side(name, data, placed, side, space), side, side.tables(tables))
                if mask is not None:
                    found = torch.where(mask, found, 0.0)
                batches.append((name, tuple(found.shape[: found.dim() - side.axes])))
                return check_finite(name, found, ON_FACES)

            if isinstance(condition, Neumann):
                flux = points("flux", condition.flux)
            else:
                alpha = points("coefficient", condition.coefficient)
                alpha = check_sign(placed.label("coefficient"), alpha, zero=True, place=ON_FACES)
                robin.append((side, alpha))
                flux = points("value", condition.value)
            for_both = (flux * on_side.weights, flux.abs() * on_side.weights)
            first, second = (
                side.extend(differentiable_assemble((part,), on_side, gradient=False)) for part in for_both
            )
            loads.append((first, second))
    check_batch(batches)
    load = None
    if loads:
        first, second = zip(*loads, strict=True)
        load = reduce(torch.add, first), reduce(torch.add, second)
    fixed = torch.zeros(space.node_shape, dtype=torch.bool, device=like.device)
    values = like.new_zeros(space.node_shape)
    for here, found in given:
        fixed, values = fixed | here, torch.where(here, found, values)
    return Prepared(plain(fixed), values, load, tuple(robin), tuple(batches))


def _dirichlet(
    placed: Placed, condition: Dirichlet, sides: Sequence[Part], space: Space, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Where the condition holds, and its values there."""
    here = torch.zeros(space.node_shape, dtype=torch.bool, device=like.device)
    for side in sides:
        here |= side.mask(like=like)
    if condition.where is not None:
        answers = condition.where(*space.nodes(like=like))
        here = here & _checked_mask(placed, answers, space.node_shape, here)
    name, data = placed.label("value"), condition.value
    if isinstance(data, Tensor) and placed.side is not None:
        side = placed.side
        batch, own = _split(data, side.axes)
        if data.dim() and own not in (side.node_shape, (1,) * side.axes):
            raise ValueError(
                f"`{name}` has shape {tuple(data.shape)}; its last axes must be {side.node_shape} (nodes "
                f"of the side) or {(1,) * side.axes} (constant)."
            )
        whole = bool(own) and own == side.node_shape
        data = side.extend(data) if whole else data.reshape(*batch, *(1,) * space.axes)
    given = on_nodes(name, data, space, like)
    given = check_finite(name, torch.where(here, given, 0.0), "on the boundary")
    return here, given


def _of_side(name: str, data: Data, placed: Placed, side: Part, space: Space) -> Data:
    """Data given for the whole boundary, as seen from one side."""
    if placed.side is not None or not isinstance(data, Tensor) or data.dim() == 0:
        return data
    batch, own = _split(data, space.axes)
    if own == space.node_shape:
        return side.trace(data)
    if own == (1,) * space.axes:
        return data.reshape(*batch, *(1,) * side.axes)
    raise ValueError(
        f"`{name}` has shape {tuple(data.shape)}; for the whole boundary its last axes must be "
        f"{space.node_shape} (nodes) or {(1,) * space.axes} (constant). Or give each side its own data."
    )


def _split(data: Tensor, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Batch axes and the last `axes` ones."""
    cut = max(data.dim() - axes, 0)
    return tuple(data.shape[:cut]), tuple(data.shape[cut:])


def _mask(placed: Placed, where: Where, side: Part, like: Tensor) -> Tensor:
    """At the quadrature points of the side, from the centres of its faces."""
    answers = where(*side.centres(like=like)) if where else None
    here = torch.zeros(side.element_shape, dtype=torch.bool, device=like.device)
    return side.from_elements(_checked_mask(placed, answers, side.element_shape, here))


def _checked_mask(placed: Placed, answers: object, shape: tuple[int, ...], like: Tensor) -> Tensor:
    mask = torch.as_tensor(answers, device=like.device)
    if mask.dtype != torch.bool or mask.shape not in (shape, ()):
        raise ValueError(
            f"`{placed.name}.where` must return one True or False for each of the coordinates, of shape "
            f"{shape}; got {mask.dtype} of shape {tuple(mask.shape)}."
        )
    return mask.expand(shape)


def _check_whether_there_is_one(placed: Placed, sides: Sequence[Part]) -> None:
    condition = placed.condition
    value = condition.value if placed.bare and isinstance(condition, Dirichlet) else None
    if not sides and not (isinstance(value, (int, float)) and value == 0):
        raise ValueError(
            f"`{placed.name}` is given, but the mesh is periodic in every direction and has no boundary."
        )
