"""The exact derivative of B-spline basis functions with respect to their knots."""

from __future__ import annotations

import torch
from torch import Tensor

from nurbs_diff._local import gather_windows, local_basis, local_indices


def knot_gradient(knots: Tensor, degree: int, u: Tensor, spans: Tensor, grad: Tensor) -> Tensor:
    r"""Contracts `grad` with the derivative of the collocation matrix with respect to every knot.

    A B-spline is a difference of divided differences of $(x - u)_+^p$ over p + 1 neighbouring knots, and the
    derivative of a divided difference with respect to one of its nodes is the divided difference with that
    node doubled. So with s = t in which $t_j$ stands twice,

    $$\frac{\partial N_i}{\partial t_j}(u) = M_{i+1}(u) - M_i(u), \qquad
      M_m(u) = \begin{cases} N_{m,p}[s](u) / (s_{m+p+1} - s_m) & j - p \le m \le j \\ 0 & \text{else.}
      \end{cases}$$

    Within one span this is the derivative of a rational function of the knots, exact for repeated knots too
    (there: towards the side on which the knots stay in order). Only the 2p knots nearest to u matter to it;
    all of them are doubled at once here, so that one recursion over arrays of shape (q, 2p) does the work.

    Args:
        knots: shape (k,), float64.
        degree: p >= 1.
        u: parameters, shape (q,).
        spans: span of each parameter, shape (q,).
        grad: gradient with respect to the collocation matrix, shape (q, n).

    Returns:
        Gradient with respect to `knots`, shape (k,).
    """
    device = knots.device
    # Local numbering: 0 is knot k - p of the window. Column c doubles knot c + 1, which shifts the span of u
    # by one when that knot lies at or before the span's left end.
    column = torch.arange(2 * degree, device=device)
    is_before = (column < degree).long()
    position = torch.arange(2 * degree + 2, device=device).unsqueeze(1) + is_before
    doubled = gather_windows(knots, degree, spans)[position - (position > column + 1).long()]
    values, _ = local_basis(doubled, degree, u)

    # M_m for the p local m whose neighbours N_{m-1} and N_m both live at u; zero outside j - p <= m <= j.
    m = torch.arange(1, degree + 1, device=device).unsqueeze(1)
    applies = (m <= column + 1) & (m >= column + 1 - degree)
    values = values / (doubled[degree + 1 :] - doubled[: degree + 1])
    values = values[m - is_before, column] * applies.unsqueeze(-1)
    local_grad = grad.mT.gather(0, local_indices(spans, degree))
    per_knot = (values * (local_grad[:-1] - local_grad[1:]).unsqueeze(1)).sum(0)

    # No knot occurs twice in a column, so the scatter is deterministic on every device; then the sum.
    rows = spans + torch.arange(1 - degree, degree + 1, device=device).unsqueeze(1)
    return knots.new_zeros(len(knots), len(u)).scatter(0, rows, per_knot).sum(1)
