"""The exact derivative of B-spline basis functions with respect to their knots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurbs_diff._evaluation.local import zeros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nurbs_diff._evaluation.local import Array


def knot_gradient(windows: Array, u: Array, quotients: Sequence[Array], grad: Array) -> Array:
    r"""Contracts `grad` with the derivative of the functions that do not vanish in the knots around them.

    A B-spline is a difference of divided differences of $(x - u)_+^p$ over p + 1 neighbouring knots, and the
    derivative of a divided difference with respect to one of its nodes is the divided difference with that
    node doubled:

    $$\frac{\partial N_i}{\partial t_j}(u) = M_{i+1,j}(u) - M_{i,j}(u), \qquad
      M_{a,j} = Q_p(t_a, \dots, t_j, t_j, \dots, t_{a+p}), \quad 0 \text{ unless } a \le j \le a + p,$$

    where $Q_d$ of d + 2 knots is their B-spline of degree d over its width. The recursion

    $$Q_d(s_0, \dots, s_{d+1}) = \frac{(u - s_0)\, Q_{d-1}(s_0, \dots, s_d)
                                      + (s_{d+1} - u)\, Q_{d-1}(s_1, \dots, s_{d+1})}{s_{d+1} - s_0}$$

    takes those with a doubled knot from those of one degree less with it, and at the ends, where it drops one
    of the two equal knots, from the plain ones, which `local_basis` has at hand. Nothing is subtracted, so
    knots as close as rounding allows lose no digits, and within one span this is the derivative of a rational
    function of the knots, exact for repeated knots too (there: towards the side on which they stay in order).

    Args:
        windows: knots t_{k-p+1}, ..., t_{k+p} around span k of each parameter, shape (2p, q), p >= 1.
        u: parameters, shape (q,).
        quotients: from `local_basis`.
        grad: gradient with respect to the values, shape (p + 1, q).

    Returns:
        Gradient with respect to `windows`.
    """
    degree = len(windows) // 2
    left = (u - windows[:degree])[:, None]
    right = (windows[degree:] - u)[:, None]
    doubled = zeros(u, 0, 1, *u.shape)  # axes: a = k-d+1, ..., k; j - a = 0, ..., d; parameters
    for d in range(1, degree + 1):
        lower, plain = doubled, quotients[d - 1]
        doubled = zeros(u, d, d + 1, *u.shape)
        doubled[1:, :d] = left[degree - d + 1 :] * lower
        doubled[:-1, 1:] += right[: d - 1] * lower
        doubled[:, d] += left[degree - d :, 0] * plain
        doubled[:, 0] += right[:d, 0] * plain
        doubled /= (windows[degree : degree + d] - windows[degree - d : degree])[:, None]
    result = zeros(u, *windows.shape)
    differences = grad[:-1] - grad[1:]
    for a in range(degree):
        result[a : a + degree + 1] += doubled[a] * differences[a]
    return result
