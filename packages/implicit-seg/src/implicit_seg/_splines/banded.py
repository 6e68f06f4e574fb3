r"""Products with a collocation matrix that touch only its band: $U c$ and $U^T g$ along one axis, on the CPU.

A row of $U$ has `degree + 1` entries, so that a dense product does `n / (degree + 1)` times the work. Along
every axis but the last, the samples behind one index are contiguous: each result is the weighted sum of a few
rows of memory, which is what `embedding_bag` does, at the speed of memory. Along the last axis, a run of
neighbouring results needs a run of neighbouring coefficients: one small dense product for each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import embedding_bag

from implicit_seg._splines.collocation import basis_rows

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped
    from torch import Tensor

_RUN = 16  # columns (about) of one dense product: enough for the arithmetic units, few enough to skip zeros


@dataclass(frozen=True, eq=False)
class Band:
    """A matrix with few entries in each row, all next to each other, in compressed rows.

    Attributes:
        columns: column of each entry, row after row, increasing within a row.
        starts: index of the first entry of each row, and at the end their number.
        values: of the entries, float64; they are rounded once, to the dtype of what they multiply.
        width: number of columns.
    """

    columns: Int[Tensor, " entries"]
    starts: Int[Tensor, " rows_and_one"]
    values: Float[Tensor, " entries"]
    width: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self.starts) - 1

    @cached_property
    def rows(self) -> Int[Tensor, " entries"]:
        """Row of each entry."""
        return torch.repeat_interleave(torch.arange(self.height, device="cpu"), self.starts.diff())

    @cached_property
    def adjoint(self) -> Band:
        """The transposed matrix."""
        order = torch.argsort(self.columns, stable=True)  # rows stay increasing within each column
        counts = torch.bincount(self.columns, minlength=self.width)
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return Band(self.rows[order], starts, self.values[order], self.height)

    @cached_property
    def runs(self) -> tuple[list[int], Float[Tensor, "runs run_width run"]]:
        """First column of each run of rows, and its dense block, transposed; zero beyond the band."""
        length = max(_RUN, min(256, _RUN * self.height // self.width))
        parts = range(0, self.height, length)
        bounds = [*self.starts[:-1:length].tolist(), len(self.columns)]
        first, last = [], []
        for a, b in pairwise(bounds):
            columns = self.columns[a:b] if b > a else self.columns.new_zeros(1)
            first.append(int(columns.min()))
            last.append(int(columns.max()))
        width = max(b - a for a, b in zip(first, last, strict=True)) + 1
        first = [min(a, self.width - width) for a in first]
        blocks = torch.zeros(len(parts), width, length, dtype=torch.float64, device="cpu")
        part = self.rows // length
        offsets = torch.tensor(first, device="cpu")
        blocks[part, self.columns - offsets[part], self.rows % length] = self.values
        return first, blocks

    def along_rows(self, x: Shaped[Tensor, "outer width inner"]) -> Shaped[Tensor, "outer height inner"]:
        """Weighted sums of rows of memory."""
        outer, _, inner = x.shape
        items = torch.arange(outer, device="cpu")[:, None]
        return embedding_bag(
            (self.columns + items * self.width).flatten(),
            x.reshape(-1, inner),
            (self.starts[:-1] + items * len(self.columns)).flatten(),
            mode="sum",
            per_sample_weights=self.values.to(x.dtype).repeat(outer),
        ).view(outer, self.height, inner)

    def along_last(self, x: Shaped[Tensor, "outer width"]) -> Shaped[Tensor, "outer height"]:
        """Dense products, run by run."""
        first, blocks = self.runs
        blocks = blocks.to(x.dtype)
        width, length = blocks.shape[1:]
        out = x.new_empty(len(x), self.height)
        for k, (column, block) in enumerate(zip(first, blocks, strict=True)):
            part = out[:, k * length : (k + 1) * length]
            torch.mm(x[:, column : column + width], block[:, : part.shape[1]], out=part)
        return out


def collocation_band(n: int, size: int, degree: int) -> Band:
    """`collocation_matrix` as a `Band`, in O(size) memory."""
    first, values = basis_rows(n, size, degree)
    order = degree + 1
    columns = first[:, None] + torch.arange(order, device="cpu")
    return Band(columns.flatten(), torch.arange(size + 1, device="cpu") * order, values.flatten(), n)


class BandProduct(torch.autograd.Function):
    """Product of a `Band` with a tensor along one axis, counted from the end; linear, so it keeps nothing."""

    @staticmethod
    def forward(x: Tensor, band: Band, axis: int) -> Tensor:
        """Returns the product; `axis` becomes as long as the band is high."""
        shape = list(x.shape)
        shape[axis] = band.height
        if axis == -1:
            return band.along_last(x.reshape(-1, band.width)).view(shape)
        inner = x.shape[axis + 1 :].numel()
        return band.along_rows(x.reshape(-1, band.width, inner)).view(shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keeps the matrix alone."""
        _, ctx.band, ctx.axis = inputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Applies the transposed matrix."""
        return BandProduct.apply(gradients[0], ctx.band.adjoint, ctx.axis), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        """Applies the matrix to the tangent."""
        return BandProduct.apply(tangents[0], ctx.band, ctx.axis)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        """One more dimension in front changes nothing: axes count from the end."""
        x, band, axis = inputs
        return BandProduct.apply(x.movedim(in_dims[0], 0), band, axis), 0
