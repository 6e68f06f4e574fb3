"""Sparse matrices of a form, from the matrices of its elements."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fem_diff._boxes.faces import Side
from fem_diff._boxes.reference import gauss_rule, lagrange_basis
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._simplices.faces import SimplexSide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fem_diff._base.discrete import Tables
    from fem_diff._forms.form import Form, Term
    from fem_diff._simplices.contract import SimplexTables


def assemble_matrix(form: Form, coefficients: Sequence[np.ndarray], sparse: Any) -> Any:
    """The sparse matrix of one sample, from element matrices; coefficients carry the quadrature weights."""
    size = int(np.prod(form.space.node_shape))
    rows, columns, entries = [], [], []
    for term, coefficient in zip(form.terms, coefficients, strict=True):
        if isinstance(form.space, LagrangeSpace):
            blocks, dofs = _on_box(form.space, term, coefficient)
        else:
            blocks, dofs = _on_simplices(form.tables_of(term), term, coefficient)
        row, column = np.broadcast_arrays(dofs[:, :, None], dofs[:, None, :])
        rows.append(row.ravel())
        columns.append(column.ravel())
        entries.append(blocks.ravel())
    places = (np.concatenate(rows), np.concatenate(columns))
    return sparse.coo_matrix((np.concatenate(entries), places), shape=(size, size)).tocsr()


def _on_simplices(tables: Tables, term: Term, coefficient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (cells, local, local) of a term, and the numbers of their nodes (cells, local)."""
    tables = cast("SimplexTables", tables)
    values, derivatives, gradients, dofs = (
        part.double().cpu().numpy() if part.is_floating_point() else part.cpu().numpy()
        for part in (tables.values, tables.derivatives, tables.gradients, tables.dofs)
    )
    weights = coefficient.reshape(len(dofs), -1, 1)

    def basis(i: int) -> np.ndarray:
        """The derivative of the basis in each cell, (cells or 1, q, local); i = ndim stands for the value."""
        if i == tables.ndim:
            return values[None]
        return np.einsum("qlv,cv->cql", derivatives, gradients[:, :, i], optimize=True)

    blocks = sum((basis(i) * weights).transpose(0, 2, 1) @ basis(j) for i, j in term.pairs)
    return np.asarray(blocks), term.side.numbers[dofs] if isinstance(term.side, SimplexSide) else dofs


def _on_box(space: LagrangeSpace, term: Term, coefficient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (elements, local, local) of a term, and the numbers of their nodes (elements, local)."""
    numbers = np.arange(np.prod(space.node_shape)).reshape(space.node_shape)
    axes, pairs = list(range(space.ndim)), term.pairs
    if isinstance(term.side, Side):
        axes.remove(term.side.axis)
        numbers = np.asarray(numbers.take(-term.side.end, term.side.axis))
        pairs = ((len(axes), len(axes)),)
    ndim, degree, points = len(axes), space.degree, space.points
    values, derivatives = lagrange_basis(degree, gauss_rule(points)[0])
    counts = [space.mesh.elements[axis] for axis in axes]
    local = (degree + 1) ** ndim

    def basis(derived: int) -> np.ndarray:
        """At the points of the reference element; the direction `ndim` stands for the value."""
        tables = [derivatives if k == derived else values for k in range(ndim)]
        return reduce(np.kron, tables, np.ones((1, 1)))

    def scale(derived: int) -> np.ndarray:
        """Of the derivative in each element."""
        sizes = [2 / space.mesh.cell_widths[axis] for axis in axes]
        factors = [sizes[k] if k == derived else np.ones(counts[k]) for k in range(ndim)]
        return reduce(np.multiply.outer, factors, np.ones(())).reshape(-1, 1)

    split = coefficient.reshape([size for count in counts for size in (count, points)])
    by_element = split.transpose(*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)).reshape(-1, points**ndim)
    blocks = 0
    for i, j in pairs:
        products = (basis(i)[:, :, None] * basis(j)[:, None, :]).reshape(-1, local**2)
        blocks = blocks + (by_element * scale(i) * scale(j)) @ products

    if not axes:  # the end of an interval
        return np.asarray(blocks).reshape(1, 1, 1), numbers.reshape(1, 1)
    wrapped = np.pad(numbers, [(0, int(space.mesh.periodic[axis])) for axis in axes], mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(wrapped, (degree + 1,) * ndim)
    dofs = windows[(slice(None, None, degree),) * ndim].reshape(-1, local)
    return np.asarray(blocks).reshape(-1, local, local), dofs
