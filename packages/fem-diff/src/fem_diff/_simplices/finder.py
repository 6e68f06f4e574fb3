"""Which cell holds a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from fem_diff._simplices.mesh import SimplexMesh

SLACK = 1e-10  # barycentric coordinates below zero by rounding count as inside


class CellFinder:
    """A grid of buckets over the mesh, each with the cells whose boxes touch it; about one cell a bucket."""

    def __init__(self, mesh: SimplexMesh) -> None:
        self.mesh = mesh
        corners = mesh.points[mesh.cells]
        low, high = np.array(mesh.bounds).T
        extent = high - low
        self.low, ndim = low, mesh.ndim
        size = (extent.prod() / len(mesh.cells)) ** (1 / ndim)
        self.counts = np.maximum(np.ceil(extent / size), 1).astype(np.int64)
        self.size = extent / self.counts
        first, last = self._bucket(corners.min(1)), self._bucket(corners.max(1))
        spans = last - first + 1
        each = spans.prod(1)
        cells = np.repeat(np.arange(len(corners)), each)
        rest = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        place = np.empty((len(cells), ndim), dtype=np.int64)
        for axis in reversed(range(ndim)):
            place[:, axis] = first[cells, axis] + rest % spans[cells, axis]
            rest = rest // spans[cells, axis]
        buckets = self._number(place)
        order = np.argsort(buckets, kind="stable")
        self.cells = cells[order]
        self.starts = np.searchsorted(buckets[order], np.arange(self.counts.prod() + 1))
        #: maps a point less the first corner of a cell to all barycentric coordinates but that corner's
        self.inverse = np.linalg.inv((corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1))

    def _bucket(self, points: np.ndarray) -> np.ndarray:
        return np.clip((points - self.low) // self.size, 0, self.counts - 1).astype(np.int64)

    def _number(self, place: np.ndarray) -> np.ndarray:
        return np.asarray(np.ravel_multi_index(tuple(place.T), tuple(self.counts)))

    def __call__(
        self, points: Float[np.ndarray, "p ndim"]
    ) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, "p vertices"]]:
        """The first cell that holds each point, and the point's barycentric coordinates there.

        Raises:
            ValueError: a point lies in no cell.
        """
        buckets = self._number(self._bucket(np.nan_to_num(points)))
        found = np.full(len(points), -1)
        barycentric = np.zeros((len(points), self.mesh.ndim + 1))
        candidate = self.starts[buckets]
        open_ = np.flatnonzero(candidate < self.starts[buckets + 1])
        while open_.size:
            cells = self.cells[candidate[open_]]
            away = points[open_] - self.mesh.points[self.mesh.cells[cells, 0]]
            others = np.einsum("cij,cj->ci", self.inverse[cells], away)
            all_ = np.concatenate([1 - others.sum(1, keepdims=True), others], axis=1)
            inside = (all_ >= -SLACK).all(1)
            found[open_[inside]], barycentric[open_[inside]] = cells[inside], all_[inside]
            open_ = open_[~inside]
            candidate[open_] += 1
            open_ = open_[candidate[open_] < self.starts[buckets[open_] + 1]]
        if (found < 0).any():
            k = int((found < 0).argmax())
            raise ValueError(f"point {k}, {points[k]}, lies outside the mesh.")
        return found, barycentric
