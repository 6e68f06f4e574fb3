"""The search of `_dense.py` as one Triton kernel, for equally spaced samples of weight one.

Imported when it is first used: it needs Triton. With TRITON_INTERPRET=1 in the environment before that, it
runs without a GPU, in Triton's interpreter.
"""

# pyright: reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# The kernel is compiled by Triton and knows no Python types.

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from kspline_core.torch import _dense

if TYPE_CHECKING:
    from jaxtyping import Int16
    from torch import Tensor

    from kspline_core import _check


def search(samples: _dense.Samples, settings: _check.Settings) -> Int16[Tensor, "batch levels ends"]:
    """As `_dense.search`. One program for each signal, with the states of all its segments in registers."""
    y = samples.y.contiguous()
    batch, n = y.shape
    levels, terms = settings.pieces - 1, settings.degree + 1
    best = y.new_full((batch, levels, n + 1), torch.inf)
    starts = torch.zeros(batch, levels, n + 1, dtype=torch.int16, device=y.device)
    exact = torch.tensor([n * _dense.EXACT], dtype=torch.float64).to(y.device)
    block = triton.next_power_of_2(n)
    with torch.cuda.device_of(y):
        _kernel[(batch,)](
            y,
            _dense.gains(n, terms, y.device),
            exact,
            best,
            starts,
            n,
            levels,
            settings.min_size,
            P=terms,
            BLOCK=block,
            num_warps=min(max(block // 256, 1), 16),
            enable_fp_fusion=False,  # as in the C++ core: the same rounding
        )
    return starts


@triton.jit
def _kernel(
    y_ptr,
    gain_ptr,
    exact_ptr,
    best_ptr,
    starts_ptr,
    n,
    levels,
    min_size,
    P: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    stride = n + 1
    y_ptr += row * n
    best_ptr += row * levels * stride
    starts_ptr += row * levels * stride
    start = tl.arange(0, BLOCK)
    origin = tl.load(y_ptr + start, mask=start < n, other=0.0)
    exact = tl.load(exact_ptr)
    cost = tl.zeros((BLOCK,), tl.float64)
    a0 = tl.zeros((BLOCK,), tl.float64)
    a1 = tl.zeros((BLOCK,), tl.float64)
    a2 = tl.zeros((BLOCK,), tl.float64)
    a3 = tl.zeros((BLOCK,), tl.float64)
    for end in range(1, n + 1):
        # every segment grows by one sample; those that have not begun keep gains, and so states, of zero
        if P == 2:
            a0 += a1
        if P == 3:
            a1 += a2
            a0 += a1
            a1 += a2
        if P == 4:
            a2 += a3
            a1 += a2
            a0 += a1
            a2 += a3
            a1 += a2
            a2 += a3
        begun = start < end
        gain = gain_ptr + end - start
        error = tl.load(y_ptr + end - 1) - origin - a0
        cost += error * error * tl.load(gain + P * stride, mask=begun, other=0.0)
        a0 += tl.load(gain, mask=begun, other=0.0) * error
        if P > 1:
            a1 += tl.load(gain + stride, mask=begun, other=0.0) * error
        if P > 2:
            a2 += tl.load(gain + 2 * stride, mask=begun, other=0.0) * error
        if P > 3:
            a3 += tl.load(gain + 3 * stride, mask=begun, other=0.0) * error

        admitted = start <= end - min_size
        for level in range(levels):
            before = tl.load(best_ptr + level * stride + start, mask=admitted, other=float("inf"))
            candidates = before + cost
            least = tl.min(candidates, axis=0)
            limit = least + 1e-12 * least + exact
            first = tl.min(tl.where(candidates <= limit, start, BLOCK), axis=0)
            tl.store(starts_ptr + level * stride + end, first.to(tl.int16))
            tl.store(best_ptr + (level + 1) * stride + end, least, mask=level + 1 < levels)
        tl.store(best_ptr + end + start * 0, cost, mask=admitted & (start == 0))
        tl.debug_barrier()  # what is stored here is read by other threads at the next end


INTERPRETED = not isinstance(_kernel, triton.JITFunction)
