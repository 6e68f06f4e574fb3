"""The direct solver: the assembled sparse matrix and its LU factors, by scipy."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fem_diff._cg import ConvergenceError
from fem_diff._reference import gauss_rule, lagrange_basis
from fem_diff._system import Callback, Record, System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fem_diff._form import Form
    from fem_diff._space import LagrangeSpace


SINGULAR = 1e4 * np.finfo(np.float64).eps  # |b| below this many rounding errors of |K| |x|
RESONANCE = (
    "With a negative reaction this is a resonance: the equation without source has a solution. Change it."
)


class Direct(System):
    """One factorisation for each sample of the coefficients, used for every load. On the CPU, in float64.

    The tolerance bounds the normwise backward error |b - K x| / (|K| |x| + |b|) in the maximum norm.
    """

    def __init__(
        self,
        form: Form,
        coefficients: Sequence[Tensor],
        fixed: Tensor,
        batch: tuple[int, ...],
        tol: float,
    ) -> None:
        super().__init__(form, coefficients, fixed, batch, tol)
        linalg, sparse = _scipy()
        self.unknown = self.free.flatten().cpu().numpy().nonzero()[0]
        if self.mean is not None:
            self.unknown = self.unknown[1:]  # one value fixed; that of the mean zero is found from it
        self.matrices, self.factors = [], []
        for sample in self._samples():
            matrix = assemble_matrix(form, sample, sparse)[self.unknown][:, self.unknown].tocsc()
            self.matrices.append(matrix)
            self.factors.append(self._factors(matrix, linalg))

    def _factors(self, matrix: Any, linalg: Any) -> Any:
        if self.indefinite:  # with pivots, which a definite matrix can do without
            options = {"permc_spec": "COLAMD"}
        else:
            options = {
                "permc_spec": "MMD_AT_PLUS_A",
                "diag_pivot_thresh": 0.0,
                "options": {"SymmetricMode": True},
            }
        try:
            return linalg.splu(matrix, **options)
        except RuntimeError as error:
            raise ConvergenceError(
                f"the matrix of the problem has no LU factors ({error}). {RESONANCE}"
            ) from None

    @property
    def indefinite(self) -> bool:
        """Whether a coefficient is negative somewhere."""
        diagonal = [term.pairs[0][0] == term.pairs[0][1] for term in self.form.terms]
        return any(
            bool((c < 0).any()) for c, squares in zip(self.coefficients, diagonal, strict=True) if squares
        )

    def _samples(self) -> list[list[np.ndarray]]:
        """The coefficients of each matrix, with the weights of the rule."""
        arrays = [
            c.expand(-1, *self.form.tables_of(term).weights.shape).double().cpu().numpy()
            for term, c in zip(self.form.terms, self.weighted, strict=True)
        ]
        count = max(map(len, arrays))
        return [[array[k % len(array)] for array in arrays] for k in range(count)]

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        b = rhs.flatten(1).double().cpu().numpy()[:, self.unknown]
        x, errors = np.zeros((len(b), self.free.numel())), [0.0] * len(b)
        for k, load in enumerate(b if self.unknown.size else ()):
            matrix, factors = (found[k % len(found)] for found in (self.matrices, self.factors))
            inside = factors.solve(load)
            scale = abs(matrix).sum(1).max() * np.abs(inside).max() + np.abs(load).max()
            errors[k] = np.abs(load - matrix @ inside).max() / scale if scale else 0.0
            if not errors[k] <= self.tol:
                raise ConvergenceError(
                    f"the direct solver reached the backward error {errors[k]:.3g} in sample {k}, short of "
                    f"`tol` = {self.tol:g}. Reduce the contrast of the coefficients."
                )
            if self.indefinite and np.abs(load).max() < SINGULAR * scale:
                raise ConvergenceError(
                    f"the matrix of the problem is singular to rounding errors in sample {k}. {RESONANCE}"
                )
            x[k, self.unknown] = inside
            if callback is not None:
                callback(k + 1, len(b), errors[k])
        iterations = torch.ones(len(b), dtype=torch.int64, device=rhs.device)
        return torch.from_numpy(x).to(rhs).view_as(rhs), Record(iterations, rhs.new_tensor(errors)[None])


def assemble_matrix(form: Form, coefficients: Sequence[np.ndarray], sparse: Any) -> Any:
    """The sparse matrix of one sample, from element matrices; coefficients carry the quadrature weights."""
    space = form.space
    numbers = np.arange(np.prod(space.node_shape)).reshape(space.node_shape)
    rows, columns, entries = [], [], []
    for term, coefficient in zip(form.terms, coefficients, strict=True):
        axes = list(range(space.ndim))
        nodes, pairs = numbers, term.pairs
        if term.side is not None:
            axes.remove(term.side.axis)
            nodes = np.asarray(numbers.take(-term.side.end, term.side.axis))
            pairs = ((len(axes), len(axes)),)
        blocks, dofs = _element_matrices(space, axes, pairs, coefficient, nodes)
        row, column = np.broadcast_arrays(dofs[:, :, None], dofs[:, None, :])
        rows.append(row.ravel())
        columns.append(column.ravel())
        entries.append(blocks.ravel())
    places = (np.concatenate(rows), np.concatenate(columns))
    shape = (numbers.size, numbers.size)
    return sparse.coo_matrix((np.concatenate(entries), places), shape=shape).tocsr()


def _element_matrices(
    space: LagrangeSpace,
    axes: list[int],
    pairs: tuple[tuple[int, int], ...],
    coefficient: np.ndarray,
    numbers: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (elements, local, local) of a term, and the numbers of their nodes (elements, local)."""
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


def _scipy() -> tuple[Any, Any]:
    try:
        return importlib.import_module("scipy.sparse.linalg"), importlib.import_module("scipy.sparse")
    except ImportError:
        raise ImportError(
            'solver="direct" needs scipy. Install it with: pip install "fem-diff[direct]"'
        ) from None
