"""The p + 1 basis functions that do not vanish at a parameter, from the 2p + 2 knots around it.

Everything here is plain differentiable torch without a branch on values, so it serves the fast path, its
derivatives and autograd alike. Denominators contain the non-empty span in which the parameter lies and hence
are never zero, however often knots repeat. The parameters run along the last axis, so that every slice is
contiguous.
"""

from __future__ import annotations

import torch
from torch import Tensor


def find_spans(knots: Tensor, degree: int, u: Tensor) -> Tensor:
    """Index k of the span t_k <= u < t_{k+1} of each parameter; the last non-empty span is closed.

    Parameters at the end of the domain are searched for as the number just below it, which any multiplicity
    of the end knots leaves in the last span that is not empty.
    """
    end = knots[-degree - 1]
    below_end = torch.nextafter(end, torch.full_like(end, -torch.inf))
    spans = torch.searchsorted(knots, torch.minimum(u, below_end), right=True) - 1
    return spans.clamp_(degree, len(knots) - degree - 2)  # in bounds even for a NaN that nobody could check


def gather_windows(knots: Tensor, degree: int, spans: Tensor) -> Tensor:
    """The knots t_{k-p}, ..., t_{k+p+1} around span k, shape (2p + 2, q)."""
    return knots.unfold(0, 2 * degree + 2, 1).mT.index_select(1, spans - degree)


def local_basis(windows: Tensor, degree: int, u: Tensor) -> tuple[Tensor, Tensor]:
    r"""Cox-de Boor recursion (DSA eq. 4) restricted to the functions that do not vanish.

    Args:
        windows: knots t_{k-p}, ..., t_{k+p+1} around the span of each parameter, shape (2p + 2, ..., q).
        degree: p.
        u: parameters, shape (q,).

    Returns:
        The values $N_{k-p,p}(u), ..., N_{k,p}(u)$, shape (p + 1, ..., q), and the quotients
        $N_{i,p-1}(u) / (t_{i+p} - t_i)$ for i = k-p+1, ..., k, shape (p, ..., q), from which the derivative
        in u
        follows: $N'_{i,p} = p (q_i - q_{i+1})$. The NURBS Book, eq. 2.7.
    """
    left = u - windows[1 : degree + 1]
    right = windows[degree + 1 : 2 * degree + 1] - u
    values = torch.ones_like(windows[:1])
    quotients = values[:0]
    for d in range(1, degree + 1):
        widths = windows[degree + 1 : degree + 1 + d] - windows[degree + 1 - d : degree + 1]
        quotients = values / widths
        values = quotients.new_zeros(d + 1, *quotients.shape[1:])
        values[:-1] = right[:d] * quotients
        values[1:] += left[degree - d :] * quotients
    return values, quotients


def local_indices(spans: Tensor, degree: int) -> Tensor:
    """Indices k - p, ..., k of the functions that do not vanish, shape (p + 1, q)."""
    return spans + torch.arange(-degree, 1, device=spans.device).unsqueeze(1)


def dense_basis(knots: Tensor, degree: int, u: Tensor, spans: Tensor) -> Tensor:
    """The collocation matrix, shape (q, n)."""
    values, _ = local_basis(gather_windows(knots, degree, spans), degree, u)
    dense = values.new_zeros(len(knots) - degree - 1, len(u))
    return dense.scatter(0, local_indices(spans, degree), values).mT
