"""Matrices that turn the control points of a spline into those of the same spline in another representation.

Every row is a value of a blossom (see `_blossom.py`): linear in the control points, differentiable in the
knots, and the same for curves, surfaces and volumes, one axis after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._derivatives.blossom import blossom_weights
from nurbs_diff._evaluation.local import find_spans, gather_windows, local_indices

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class BezierExtraction(NamedTuple):
    r"""The Bezier form of every span, as isogeometric analysis wants it.

    On span e the functions that live there are $N_{f_e + a}(u) = \sum_j C^e_{aj} B_j(\xi)$ with the Bernstein
    polynomials $B_j$ of $\xi = (u - x_e) / (x_{e+1} - x_e)$, and its Bezier points are
    $Q_j = \sum_a C^e_{aj} P_{f_e + a}$.

    Borden, Scott, Evans and Hughes, *Isogeometric finite element data structures based on Bezier extraction
    of NURBS* (2011).

    Attributes:
        operators: C.
        first: index f_e of the first function that lives on each span.
        breakpoints: x, the ends of the spans.

    >>> from nurbs_diff import uniform_knots
    >>> bezier_extraction(uniform_knots(4, degree=2), 2).first
    tensor([0, 1])
    """

    operators: Float[Tensor, "spans p_plus_1 p_plus_1"]
    first: Int[Tensor, "spans"]
    breakpoints: Float[Tensor, "spans_plus_1"]


def knot_insertion_matrix(
    knots: Float[Tensor, "k"], degree: int, new_knots: Float[Tensor, "m"]
) -> tuple[Float[Tensor, "n_plus_m n"], Float[Tensor, "k_plus_m"]]:
    r"""The matrix A of knot insertion: $A P$ are control points of the same spline on the finer knots.

    Row i is the blossom at the p knots after the i-th of the finer vector, so A is non-negative, its rows sum
    to 1, and $N_j = \sum_i A_{ij} \hat N_i$: the two-scale relation of multilevel methods. Differentiable in
    both knots.

    Args:
        knots: t.
        degree: p.
        new_knots: anywhere in the domain, in any order; values may repeat and repeat those of `knots`, p + 1
            times in all.

    Returns:
        A and the finer knots.

    Raises:
        ValueError: bad knots, a new knot outside the domain, or one that would stand more than p + 1 times.

    The Oslo algorithm (Cohen, Lyche and Riesenfeld, 1980), O((n + m) p^2).

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> matrix, finer = knot_insertion_matrix(uniform_knots(3, degree=2), 2, torch.tensor([0.5]))
    >>> matrix
    tensor([[1.0000, 0.0000, 0.0000],
            [0.5000, 0.5000, 0.0000],
            [0.0000, 0.5000, 0.5000],
            [0.0000, 0.0000, 1.0000]], dtype=torch.float64)
    """
    _checks.check_floating(knots=knots, new_knots=new_knots)
    _check_knot_vector(knots, degree)
    _checks.check_parameters("new_knots", new_knots, "knots", knots, degree)
    finer = torch.cat([knots, new_knots.to(knots.dtype)]).sort().values
    _checks.check_knots("knots with new_knots", finer, degree)
    return insertion_matrix(knots, degree, finer).to(knots.dtype), finer


def insertion_matrix(knots: Tensor, degree: int, finer: Tensor) -> Tensor:
    """The matrix from control points on `knots` to those on `finer`, which contains them, in float64."""
    t, tau = knots.double(), finer.double()
    # Functions beyond the domain count too where ends are not clamped; the padding makes their windows whole.
    steps = torch.arange(1, degree + 1, dtype=t.dtype, device=t.device)
    padded = torch.cat([t[0] - steps.flip(0), t, t[-1] + steps])
    rows = len(tau) - degree - 1
    spans = torch.searchsorted(padded, tau[:rows].detach(), right=True) - 1
    arguments = [tau[d : d + rows] for d in range(1, degree + 1)]
    values = blossom_weights(gather_windows(padded, degree, spans), arguments)
    dense = values.new_zeros(len(t) + degree - 1, rows).scatter(0, local_indices(spans, degree), values)
    return dense[degree : len(dense) - degree].mT


def degree_elevation_matrix(
    knots: Float[Tensor, "k"], degree: int
) -> tuple[Float[Tensor, "n_elevated n"], Float[Tensor, "k_elevated"]]:
    r"""The matrix E of degree elevation by one: $E P$ are control points of the same spline of degree p + 1.

    Every knot stands once more. With f the blossom of degree p, that of degree p + 1 is
    $F(a_0, \dots, a_p) = \frac1{p + 1} \sum_j f(a_0, \dots, \widehat{a_j}, \dots, a_p)$, the hat leaving one
    out; row i is F at the p + 1 knots after the i-th.

    Args:
        knots: t.
        degree: p.

    Returns:
        E and the knots of degree p + 1; its rows sum to 1.

    Raises:
        ValueError: bad knots, or one that stands p + 1 times inside the domain, where no span would remain
            for the control points between: split the spline there first.

    O(n p^3). The NURBS Book, section 5.5; Prautzsch (1984).

    >>> from nurbs_diff import uniform_knots
    >>> degree_elevation_matrix(uniform_knots(2, degree=1), 1)[0]  # a line as a parabola
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000],
            [0.0000, 1.0000]], dtype=torch.float64)
    """
    _checks.check_floating(knots=knots)
    _check_knot_vector(knots, degree)
    t = knots.double()
    tau = knots_once_more(t, degree)
    p = degree + 1
    rows = len(tau) - p - 1
    # For each row a span of the domain on which its function lives, in the middle, to extrapolate least.
    candidates = torch.arange(p + 1, device=t.device) + torch.arange(rows, device=t.device)[:, None]
    lives = (tau[candidates + 1] > tau[candidates]) & (candidates >= p) & (candidates < rows)
    order = torch.argsort((2 * torch.arange(p + 1, device=t.device) - p).abs())
    best = order[lives[:, order].long().argmax(1)]
    middle = (tau[candidates] + tau[candidates + 1])[torch.arange(rows, device=t.device), best].detach() / 2
    spans = find_spans(t.detach(), degree, middle)
    windows = gather_windows(t, degree, spans)
    # Functions that live nowhere in the domain have no say in the shape; theirs are points at its ends.
    outside = ~lives.any(1)
    start, end = t[degree], t[-degree - 1]
    arguments = [
        torch.where(outside, torch.minimum(torch.maximum(a, start), end), a)
        for a in (tau[d : d + rows] for d in range(1, p + 1))
    ]
    left_out = [blossom_weights(windows, [a for i, a in enumerate(arguments) if i != j]) for j in range(p)]
    values = torch.stack(left_out).mean(0)
    matrix = values.new_zeros(len(t) - degree - 1, rows).scatter(0, local_indices(spans, degree), values).mT
    return matrix.to(knots.dtype), tau.to(knots.dtype)


def knots_once_more(knots: Tensor, degree: int) -> Tensor:
    """The knots of the same spline of degree p + 1: each once more, those far outside the domain dropped."""
    t = knots.tolist()
    index = [i for j, x in enumerate(t) for i in ([j] if j + 1 < len(t) and t[j + 1] == x else [j, j])]
    start, end = t[degree], t[-degree - 1]
    values = [t[i] for i in index]
    # As many knots at an end must lie inside the domain's side of it as before: none for clamped ends.
    surplus_low = sum(x == start for x in t[degree + 1 :])
    surplus_high = sum(x == end for x in t[: -degree - 1])
    first = max(i for i, x in enumerate(values) if x == start) - surplus_low - degree - 1
    last = min(i for i, x in enumerate(values) if x == end) + surplus_high + degree + 1
    return knots[index[first : last + 1]]


def bezier_extraction(knots: Float[Tensor, "k"], degree: int) -> BezierExtraction:
    r"""The extraction operator of every span of a knot vector, clamped or not.

    Args:
        knots: t; differentiable.
        degree: p.

    Returns:
        Operators, indices and breakpoints; see `BezierExtraction`.

    Raises:
        ValueError: bad knots.

    >>> from nurbs_diff import uniform_knots
    >>> bezier_extraction(uniform_knots(4, degree=2), 2).operators[0]
    tensor([[1.0000, 0.0000, 0.0000],
            [0.0000, 1.0000, 0.5000],
            [0.0000, 0.0000, 0.5000]], dtype=torch.float64)
    """
    _checks.check_floating(knots=knots)
    _check_knot_vector(knots, degree)
    inside = knots[degree : len(knots) - degree]
    is_new = torch.cat([torch.ones_like(inside[:1], dtype=torch.bool), inside[1:] > inside[:-1]])
    breakpoints = inside[is_new]
    operators, first = operators_between(knots, degree, breakpoints)
    return BezierExtraction(operators.to(knots.dtype), first, breakpoints)


def operators_between(knots: Tensor, degree: int, breakpoints: Tensor) -> tuple[Tensor, Tensor]:
    """Extraction operators, in float64, for intervals of which each lies in one span."""
    t, x = knots.double(), breakpoints.double()
    low, high = x[:-1], x[1:]
    spans = torch.searchsorted(t.detach(), ((low + high) / 2).detach(), right=True) - 1
    windows = gather_windows(t, degree, spans).unsqueeze(-1)  # (2p, spans, 1)
    is_high = torch.arange(degree + 1, device=t.device) > torch.arange(degree, device=t.device)[:, None]
    arguments = [torch.where(row, high[:, None], low[:, None]) for row in is_high]
    return blossom_weights(windows, arguments).movedim(0, 1), spans - degree


def _check_knot_vector(knots: Tensor, degree: int) -> None:
    _checks.check_degree("degree", degree)
    if knots.ndim != 1:
        raise ValueError(f"`knots` must have one dimension; got shape {tuple(knots.shape)}.")
    _checks.check_knots("knots", knots, degree)
