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
    from fem_diff._problem import Poisson
    from fem_diff._space import LagrangeSpace


class Direct(System):
    """One factorisation for each sample of the coefficients, used for every load. On the CPU, in float64.

    The tolerance bounds the normwise backward error |b - K x| / (|K| |x| + |b|) in the maximum norm.
    """

    def __init__(self, problem: Poisson, tol: float) -> None:
        super().__init__(problem, tol)
        linalg, sparse = _scipy()
        self.matrices = [
            assemble_matrix(self.space, diffusivity, reaction, sparse)
            for diffusivity, reaction in self._samples()
        ]
        self.inside = self.free.flatten().cpu().numpy().nonzero()[0]
        self.factors = []
        for k, matrix in enumerate(self.matrices):
            self.matrices[k] = matrix = matrix[self.inside][:, self.inside].tocsc()
            options = {"SymmetricMode": True}
            self.factors.append(
                linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
            )

    def _samples(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        points = self.space.quadrature_shape
        diffusivity = self.diffusivity.expand(-1, *points).double().cpu().numpy()
        if self.reaction is None:
            return [(sample, None) for sample in diffusivity]
        reaction = self.reaction.expand(-1, *points).double().cpu().numpy()
        count = max(len(diffusivity), len(reaction))
        return [(diffusivity[k % len(diffusivity)], reaction[k % len(reaction)]) for k in range(count)]

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        b = rhs.flatten(1).double().cpu().numpy()[:, self.inside]
        x, errors = np.zeros((len(b), self.free.numel())), [0.0] * len(b)
        for k, load in enumerate(b if self.inside.size else ()):
            matrix, factors = (found[k % len(found)] for found in (self.matrices, self.factors))
            inside = factors.solve(load)
            scale = abs(matrix).sum(1).max() * np.abs(inside).max() + np.abs(load).max()
            errors[k] = np.abs(load - matrix @ inside).max() / scale if scale else 0.0
            if not errors[k] <= self.tol:
                raise ConvergenceError(
                    f"the direct solver reached the backward error {errors[k]:.3g} in sample {k}, short of "
                    f"`tol` = {self.tol:g}. Reduce the contrast of the coefficients."
                )
            x[k, self.inside] = inside
            if callback is not None:
                callback(k + 1, len(b), errors[k])
        iterations = torch.ones(len(b), dtype=torch.int64, device=rhs.device)
        return torch.from_numpy(x).to(rhs).view_as(rhs), Record(iterations, rhs.new_tensor(errors)[None])


def assemble_matrix(
    space: LagrangeSpace, diffusivity: np.ndarray, reaction: np.ndarray | None, sparse: Any
) -> Any:
    """The sparse matrix of one sample, from element matrices; coefficients carry the quadrature weights."""
    ndim, degree, points = space.ndim, space.degree, space.points
    values, derivatives = lagrange_basis(degree, gauss_rule(points)[0])

    def element_basis(derived: int | None) -> np.ndarray:
        tables = [
            derivatives * (2 / width) if axis == derived else values
            for axis, width in enumerate(space.mesh.widths)
        ]
        return reduce(np.kron, tables)

    def by_element(samples: np.ndarray) -> np.ndarray:
        split = samples.reshape([size for count in space.mesh.elements for size in (count, points)])
        return split.transpose(*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)).reshape(-1, points**ndim)

    terms = [(by_element(diffusivity), element_basis(axis)) for axis in range(ndim)]
    if reaction is not None:
        terms.append((by_element(reaction), element_basis(None)))
    local = (degree + 1) ** ndim
    blocks = sum(c @ (basis[:, :, None] * basis[:, None, :]).reshape(-1, local**2) for c, basis in terms)

    numbers = np.arange(np.prod(space.node_shape)).reshape(space.node_shape)
    windows = np.lib.stride_tricks.sliding_window_view(numbers, (degree + 1,) * ndim)
    dofs = windows[(slice(None, None, degree),) * ndim].reshape(-1, local)
    rows, columns = np.broadcast_arrays(dofs[:, :, None], dofs[:, None, :])
    entries = (np.asarray(blocks).ravel(), (rows.ravel(), columns.ravel()))
    return sparse.coo_matrix(entries, shape=(numbers.size, numbers.size)).tocsr()


def _scipy() -> tuple[Any, Any]:
    try:
        return importlib.import_module("scipy.sparse.linalg"), importlib.import_module("scipy.sparse")
    except ImportError:
        raise ImportError(
            'solver="direct" needs scipy. Install it with: pip install "fem-diff[direct]"'
        ) from None
