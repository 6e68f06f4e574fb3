"""Nested iteration: the solution on a mesh of doubled cells as the start on the fine one.

The coarse space lies in the fine one, so its functions are embedded exactly, and the load on it is the
transpose of the embedding. Coefficients are sampled, so the coarse solution is only a good start: the fine
equations alone decide the result.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._boxes.faces import Side
from fem_diff._boxes.mesh import BoxMesh
from fem_diff._boxes.reference import gauss_rule, lagrange_basis
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._forms.form import Form

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._boxes.contract import BoxTables

FEWEST = 8  # elements per direction of a mesh that is not coarsened any more


def halved(space: LagrangeSpace) -> LagrangeSpace | None:
    """The space on cells of twice the size, or None where cells do not pair or are few."""
    mesh = space.mesh
    if any(count % 2 or count < 2 * FEWEST for count in mesh.elements):
        return None
    elements = tuple(count // 2 for count in mesh.elements)
    coordinates = tuple(x[::2] for x in mesh.coordinates)
    coarse = BoxMesh(elements, mesh.bounds, mesh.periodic, coordinates)
    return LagrangeSpace(coarse, space.degree, space.quadrature)


def halved_form(form: Form, space: LagrangeSpace) -> Form | None:
    """The same form on the halved `space`, if there is one."""
    coarse = halved(space)
    if coarse is None:
        return None
    terms = tuple(
        replace(term, side=replace(term.side, space=coarse)) if isinstance(term.side, Side) else term
        for term in form.terms
    )
    return Form(coarse, coarse.tabulate(like=form.tables.weights), terms)


class Embedding:
    """Functions of the halved space in the nodes of the fine one, and the transpose of that map.

    Exact where the two cells that make one are equal; on graded meshes as good as they are alike.
    """

    def __init__(self, space: LagrangeSpace, tables: BoxTables) -> None:
        self.degree, self.axes = space.degree, range(-space.ndim, 0)
        self.periodic = space.mesh.periodic
        nodes = np.linspace(-1.0, 1.0, 2 * space.degree + 1)[:-1]  # the last belongs to the next cell
        self.values = torch.from_numpy(lagrange_basis(space.degree, nodes)[0]).to(tables.weights)

    def embed(self, u: Float[Tensor, "batch *coarse"]) -> Float[Tensor, "batch *nodes"]:
        """The same functions, by their values at the fine nodes."""
        for axis in self.axes:
            along = u.movedim(axis, -1)
            if self.periodic[axis]:
                along = torch.cat([along, along[..., :1]], -1)
            inner = (along.unfold(-1, self.degree + 1, self.degree) @ self.values.T).flatten(-2)
            if not self.periodic[axis]:
                inner = torch.cat([inner, along[..., -1:]], -1)
            u = inner.movedim(-1, axis)
        return u.contiguous()

    def restrict(self, load: Float[Tensor, "batch *nodes"]) -> Float[Tensor, "batch *coarse"]:
        """The transpose of `embed`."""
        for axis in self.axes:
            along = load.movedim(axis, -1)
            last = None if self.periodic[axis] else along[..., -1]
            inner = along if last is None else along[..., :-1]
            shares = inner.unflatten(-1, (-1, 2 * self.degree)) @ self.values
            total = torch.nn.functional.pad(shares[..., :-1].flatten(-2), (0, 1))
            total[..., self.degree :: self.degree] += shares[..., -1]
            if last is None:
                total[..., 0] += total[..., -1]
                total = total[..., :-1]
            else:
                total[..., -1] += last
            load = total.movedim(-1, axis)
        return load.contiguous()


def sampled(values: Float[Tensor, "#batch *points"], rule: int, ndim: int) -> Float[Tensor, "#batch *coarse"]:
    """Values at the quadrature points of the halved mesh, from those of the mesh.

    A point takes the polynomial through the points of the fine cell in which it lies (the mean of two on an
    edge), but never more or less than those: smooth coefficients keep their order, positive ones their sign.

    Args:
        values: at the points of `ndim` directions; axes with one entry are constant and stay so.
        rule: points per cell and direction.
        ndim: the number of directions.
    """
    points = gauss_rule(rule)[0]
    powers = np.arange(rule)
    weights = np.zeros((rule, 2 * rule))
    for cell, shift in enumerate((-1, 1)):
        through = np.linalg.inv(((points + shift) / 2)[:, None] ** powers)
        share = np.where(abs(points) < 1e-9, 0.5, points * shift > 0)
        own = slice(cell * rule, (cell + 1) * rule)
        weights[:, own] = share[:, None] * (points[:, None] ** powers @ through)
    return combined(values, weights, ndim, limited=True)


def combined(values: Tensor, weights: np.ndarray, ndim: int, *, limited: bool = False) -> Tensor:
    """Consecutive groups of values along each of the last `ndim` axes, multiplied with a sparse matrix.

    Args:
        values: axes with one entry are constant and stay so.
        weights: as many columns as a group has values.
        ndim: the number of axes.
        limited: keep each result within the values that it is made of.
    """
    rows, columns = weights.shape
    for axis in range(-ndim, 0):
        if values.shape[axis] == 1:
            continue
        groups = values.unflatten(axis, (-1, columns))
        shape = list(values.shape)
        shape[axis] = shape[axis] // columns * rows
        out = values.new_empty(shape)
        target = out.unflatten(axis, (-1, rows))
        for row in range(rows):
            reads = [int(k) for k in weights[row].nonzero()[0]]
            parts = [groups.select(axis, k) for k in reads]
            total = parts[0] * float(weights[row, reads[0]])
            for part, k in zip(parts[1:], reads[1:], strict=True):
                total.add_(part, alpha=float(weights[row, k]))
            if limited:
                total = total.clamp_(reduce(torch.minimum, parts), reduce(torch.maximum, parts))
            target.select(axis, row).copy_(total)
        values = out
    return values
