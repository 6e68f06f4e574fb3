"""Points at scattered parameters: weighted sums of the control points near each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from nurbs_diff._evaluation.local import local_indices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def gather_points(values: Sequence[Tensor], spans: Sequence[Tensor], net: Tensor) -> Tensor:
    """Sums the control points around each parameter, weighted with the products of the values.

    Args:
        values: for each direction those that do not vanish, (p + 1, q) or, of each sample, (p + 1, b, q).
        spans: the spans of the parameters, (q,) or (b, q).
        net: shape (b, c, n_1, ..., n_d).

    Returns:
        Shape (b, q, c).
    """
    b, c, *counts = net.shape
    shape = torch.broadcast_shapes(*(x.shape for x in spans))
    places = torch.zeros(1, *[1] * len(shape), dtype=torch.long, device=net.device)
    products = net.new_ones(places.shape)
    for value, span, count in zip(values, spans, counts, strict=True):
        spread = (len(value), *[1] * (len(shape) - span.ndim), *span.shape)  # against samples, if shared
        local = local_indices(span, len(value) - 1).reshape(spread)
        places = (places.unsqueeze(1) * count + local).flatten(0, 1)
        products = (products.unsqueeze(1) * value.reshape(spread)).flatten(0, 1)
    if len(shape) == 1:  # shared by the samples: their coordinates side by side
        table = net.flatten(2).movedim(2, 0).reshape(-1, b * c)
        points = WeightedRows.apply(table, products.mT.contiguous(), places.mT.contiguous())
        return points.unflatten(1, (b, c)).movedim(1, 0)
    table = net.flatten(2).mT.reshape(-1, c)
    places = places + torch.arange(0, len(table), len(table) // b, device=net.device).unsqueeze(1)
    points = WeightedRows.apply(table, products.flatten(1).mT.contiguous(), places.flatten(1).mT.contiguous())
    return points.unflatten(0, shape)


class WeightedRows(torch.autograd.Function):
    """out[q] = sum_k weights[q, k] table[rows[q, k]], without an array of all these rows."""

    @staticmethod
    def forward(ctx, table: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(table, weights, rows)
        return embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx, *grads: Tensor):
        table, weights, rows = ctx.saved_tensors
        (grad,) = grads
        if torch.is_grad_enabled():  # a graph of the derivative is asked for: differentiate plain operations
            return _differentiable_backward(table, weights, rows, grad)
        table_grad = weights_grad = None
        if ctx.needs_input_grad[0]:
            columns = table.new_zeros(table.shape[1], len(table))
            for block in _blocks(rows, table.shape[1]):
                products = grad[block].mT.unsqueeze(2) * weights[block]
                places = rows[block].reshape(1, -1).expand(len(columns), -1)
                columns.scatter_add_(1, places, products.flatten(1))
            table_grad = columns.mT
        if ctx.needs_input_grad[1]:
            weights_grad = torch.empty_like(weights)
            for block in _blocks(rows, table.shape[1]):
                near = table.index_select(0, rows[block].reshape(-1)).unflatten(0, rows[block].shape)
                torch.matmul(near, grad[block].unsqueeze(2), out=weights_grad[block].unsqueeze(2))
        return table_grad, weights_grad, None


def _blocks(rows: Tensor, columns: int) -> Iterator[slice]:
    """Slices of the parameters for which an array of all rows stays in cache, or on a device in bounds."""
    elements = 2**17 if rows.device.type == "cpu" else 2**25
    step = max(1, elements // (rows.shape[1] * columns))
    for start in range(0, len(rows), step):
        yield slice(start, start + step)


def _differentiable_backward(
    table: Tensor, weights: Tensor, rows: Tensor, grad: Tensor
) -> tuple[Tensor | None, ...]:
    # aliases, so that each gets its partial derivative even where one was computed from the other
    aliases = [tensor.view_as(tensor) for tensor in (table, weights)]
    wanted = [alias for alias in aliases if alias.requires_grad]
    points = torch.einsum("qk,qkc->qc", aliases[1], aliases[0][rows])
    found = iter(torch.autograd.grad(points, wanted, grad, create_graph=True))
    return (*(next(found) if alias.requires_grad else None for alias in aliases), None)
