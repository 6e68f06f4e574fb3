"""The operator applied element by element: gather, one product with the element's basis matrix, scatter.

Sum factorisation needs the fewest operations, but on the small elements of degree 1 to 3 each of its steps is
a pass over memory. One product of the whole basis matrix with as many elements at once as stay in the cache
takes a third to a sixth of the time. Where coefficients are constant on each element, a term's matrix on any
of them is a multiple of one, and half as many rows do.
"""

from __future__ import annotations

import itertools
import math
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from fem_diff._boxes.contract import BoxTables

CACHED = 2**19  # numbers at the quadrature points that a block of elements may hold on the CPU
LAUNCHED = 2**27  # the same on an accelerator, where only memory bounds it


class ElementOperator:
    r"""$u \mapsto (\sum_e \int_e \sum_{(i,j)} c\, D_i u\, D_j \phi_n)_n$: terms of a coefficient and pairs.

    $D_i$ is the partial derivative along the direction i, and the value for i = D. Needs O(N) time and,
    beside its coefficients, the memory of one block of elements.

    Args:
        tables: one-dimensional basis matrices at the quadrature points.
        terms: pairs, each (i, i) or with its mirror image, and the coefficient c, with a leading batch axis,
            at the quadrature points, multiplied with their weights.
    """

    def __init__(
        self,
        tables: BoxTables,
        terms: Sequence[tuple[tuple[tuple[int, int], ...], Float[Tensor, "#batch *points"]]],
    ) -> None:
        self.degree, self.ndim = tables.degree, tables.ndim
        points = tables.values.shape[0]
        self.elements = tuple(size // points for size in tables.weights.shape)
        self.points = points**self.ndim
        self.rings = [axis - self.ndim for axis, periodic in enumerate(tables.periodic) if periodic]
        used = sorted({i for pairs, _ in terms for pair in pairs for i in pair})
        self.basis = torch.cat([self._element_basis(tables, i) for i in used])
        self.transposed = self.basis.T.contiguous()
        self.terms: list[tuple[list[tuple[int, int]], Tensor]] = []
        for pairs, values in terms:
            c = self._by_element(values, points)
            scales = {pair: self._scale(tables, *pair) for pair in pairs}
            if all(scale is None for scale in scales.values()):
                scales = {None: None}
            for only, scale in scales.items():
                places = [(used.index(i), used.index(j)) for i, j in (pairs if only is None else (only,))]
                self.terms.append((places, c if scale is None else c * scale))
        self.is_diagonal = all(i == j for pairs, _ in terms for i, j in pairs)
        rules = [_rule(c) for _, c in self.terms]
        #: of rows, one for each term; none where coefficients vary within elements
        self.blocks: list[slice] = []
        if all(rule is not None for rule in rules):
            self._factorise([rule for rule in rules if rule is not None])
        limit = CACHED if tables.weights.device.type == "cpu" else LAUNCHED
        self.block = max(1, limit // len(self.basis))

    def _factorise(self, rules: Sequence[Tensor]) -> None:
        r"""Writes the matrix of each term on the first element as $G^T S G$, of full rank, S a sign.

        The rows of G for a gradient are orthogonal to the constants, so no more digits are lost than by the
        gradient itself; the product of the two would lose them.
        """
        basis = self.basis.view(-1, self.points, self.basis.shape[1])
        rows, columns = [], []
        for (places, _), rule in zip(self.terms, rules, strict=True):
            matrix = torch.stack([(basis[i].T * rule) @ basis[j] for i, j in places]).sum(0)
            values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
            kept = values.abs() > 1e3 * torch.finfo(values.dtype).eps * values.abs().amax()
            factor = (vectors * values.abs().sqrt())[:, kept]
            start = sum(map(len, rows))
            self.blocks.append(slice(start, start + factor.shape[1]))
            rows.append(factor.T)
            columns.append(factor * values[kept].sign())
        self.basis, self.transposed = torch.cat(rows), torch.cat(columns, 1)
        self.terms = [(places, c[0]) for places, c in self.terms]

    def _element_basis(self, tables: BoxTables, i: int) -> Tensor:
        """(points, local nodes) of D_i on the first element."""
        derivatives = [table[0] if table.dim() == 3 else table for table in tables.derivatives]
        return reduce(torch.kron, [derivatives[k] if k == i else tables.values for k in range(self.ndim)])

    def _scale(self, tables: BoxTables, i: int, j: int) -> Tensor | None:
        """What D_i u D_j v is on each element, relative to the first; None where all are alike."""
        scale = None
        for k in (i, j):
            if k == self.ndim or tables.derivatives[k].dim() == 2:
                continue
            slopes = tables.derivatives[k][:, 0, 0]
            ratio = (slopes / slopes[0]).view(-1, *(1,) * (self.ndim - 1 - k))
            scale = ratio if scale is None else scale * ratio
        return scale

    def _by_element(self, values: Tensor, points: int) -> Tensor:
        """(batch, *points) -> (points of an element, batch, *elements)."""
        values = values.expand(-1, *(points * count for count in self.elements))
        split = values.reshape(len(values), *(k for count in self.elements for k in (count, points)))
        inside, across = range(2, 2 * self.ndim + 1, 2), range(1, 2 * self.ndim + 1, 2)
        return split.permute(*inside, 0, *across).reshape(-1, len(values), *self.elements)

    def __call__(self, u: Float[Tensor, "samples *nodes"]) -> Float[Tensor, "samples *nodes"]:
        """K u, with the rows and columns of fixed nodes."""
        for axis in self.rings:
            u = torch.cat([u, u.narrow(axis, 0, 1)], axis)
        out = torch.zeros_like(u)
        rows = max(1, self.block // math.prod(self.elements[1:]))
        samples = max(1, self.block // math.prod(self.elements))
        for i in range(0, len(u), samples):
            for first in range(0, self.elements[0], rows):
                self._add_block(u, out, slice(i, i + samples), slice(first, first + rows))
        for axis in self.rings:
            last = out.shape[axis] - 1
            out.narrow(axis, 0, 1).add_(out.narrow(axis, last, 1))
            out = out.narrow(axis, 0, last)
        return out.contiguous()

    def _add_block(self, u: Tensor, out: Tensor, samples: slice, rows: slice) -> None:
        degree, ndim = self.degree, self.ndim
        nodes = slice(rows.start * degree, rows.stop * degree + 1)
        local = u[samples, nodes]
        for axis in range(1, ndim + 1):
            local = local.unfold(axis, degree + 1, degree)
        shape = local.shape[1 : ndim + 1]
        local = local.permute(*range(ndim + 1, 2 * ndim + 1), 0, *range(1, ndim + 1))
        parts = (self.basis @ local.reshape(len(self.basis.T), -1)).view(-1, *local.shape[ndim:])
        if self.blocks:
            for block, (_, values) in zip(self.blocks, self.terms, strict=True):
                parts[block].mul_(values[samples if len(values) > 1 else slice(None), rows])
        else:
            parts = self._flux(parts.unflatten(0, (-1, self.points)), samples, rows).flatten(0, 1)
        shares = (self.transposed @ parts.flatten(1)).view(local.shape)
        target = out[samples, nodes]
        for local_node in itertools.product(range(degree + 1), repeat=ndim):
            strided = tuple(
                slice(a, a + (count - 1) * degree + 1, degree)
                for a, count in zip(local_node, shape, strict=True)
            )
            target[(slice(None), *strided)].add_(shares[local_node])

    def _flux(self, parts: Tensor, samples: slice, rows: slice) -> Tensor:
        flux = parts if self.is_diagonal else torch.zeros_like(parts)
        for pairs, values in self.terms:
            c = values[:, samples if values.shape[1] > 1 else slice(None), rows]
            for i, j in pairs:
                if self.is_diagonal:
                    flux[i].mul_(c)
                else:
                    flux[i].addcmul_(parts[j], c)
        return flux


def _rule(c: Float[Tensor, "points batch *elements"]) -> Tensor | None:
    """The weights of the points relative to the first, if all elements have the same up to rounding."""
    first = c[(slice(None), *(slice(0, 1),) * (c.dim() - 1))]
    rule = first / first[:1]
    for some in (c[:, :1, :1], c):  # a coefficient that varies shows itself at once
        if not bool(((some - some[:1] * rule).abs() <= 8 * torch.finfo(c.dtype).eps * some.abs()).all()):
            return None
    return rule.flatten()
