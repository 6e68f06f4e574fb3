"""Subdivision until the zero set within each cell is simple; in two and three dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import bezier

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool, Float, Int

_DEEPEST = 12  # halvings of a knot cell; reached only where the gradient vanishes on the zero set
_MOST = 400_000  # cells that may still be undecided


@dataclass(frozen=True)
class Leaves:
    """Cells that the zero set passes through.

    Attributes:
        polynomials: Bernstein coefficients on each cell, (N, p + 1, ...).
        corner: lowest corner of each, in units of the smallest cell.
        size: its side in that unit, a power of two.
        unit: how many of these units a knot cell has.
        inside: volume of the cells that lie wholly inside, in knot cells.
    """

    polynomials: Float[np.ndarray, "..."]
    corner: Int[np.ndarray, "n dimension"]
    size: Int[np.ndarray, " n"]
    unit: int
    inside: float


def subdivide(
    patches: Float[np.ndarray, "..."],
    is_simple: Callable[[np.ndarray, int], Bool[np.ndarray, " n"]],
) -> Leaves:
    """Halves cells until none is crossed by the zero set or `is_simple(polynomials, level)` holds.

    A cell whose coefficients have one sign is not crossed, and left out. Where the zero set has a singular
    point cells can be halved for ever; they are accepted as they are after twelve halvings.
    """
    dimension = patches.ndim // 2
    polynomials = patches.reshape(-1, *patches.shape[dimension:])
    places = np.stack(np.unravel_index(np.arange(len(polynomials)), patches.shape[:dimension]), -1)
    found: list[tuple[np.ndarray, np.ndarray, int]] = []
    level, inside = 0, 0.0
    every = tuple(range(1, dimension + 1))
    while level == 0 or len(polynomials):
        inside += float((polynomials > 0).all(every).sum()) / 2 ** (dimension * level)
        crossed = (polynomials > 0).any(every) & (polynomials <= 0).any(
            every
        )  # zero counts as outside, here and everywhere
        polynomials, places = polynomials[crossed], places[crossed]
        simple = is_simple(polynomials, level)
        if level == _DEEPEST or (~simple).sum() * 2**dimension > _MOST:
            simple[:] = True
        found.append((polynomials[simple], places[simple], level))
        polynomials, offsets = bezier.children(polynomials[~simple])
        places = np.tile(2 * places[~simple], (2**dimension, 1)) + offsets
        level += 1
    deepest = max((level for part, _, level in found if len(part)), default=0)
    return Leaves(
        np.concatenate([part for part, _, _ in found]),
        np.concatenate([place << (deepest - level) for _, place, level in found if level <= deepest]),
        np.concatenate([np.full(len(part), 1 << max(deepest - level, 0)) for part, _, level in found]),
        1 << deepest,
        inside,
    )


def gradient_varies_little(
    polynomials: Float[np.ndarray, "..."], lengths: Float[np.ndarray, " dimension"]
) -> Bool[np.ndarray, " n"]:
    """Whether the gradient of each polynomial hardly varies in its cell.

    The product of any two gradients is at least a quarter of the square of the longest. Then the zero set is
    a graph over every chord or tangent plane, and Newton's method across it converges. Plantinga and Vegter's
    condition (2004), made a little stronger.

    Args:
        polynomials: (N, p + 1, ...).
        lengths: sides of the cells.
    """
    least, longest = np.zeros(len(polynomials)), np.zeros(len(polynomials))
    for slope, length in zip(bezier.slopes(polynomials), lengths, strict=True):
        low, high = slope.min(1) / length, slope.max(1) / length
        least += np.where((low < 0) & (high > 0), low * high, np.minimum(low**2, high**2))
        longest += np.maximum(low**2, high**2)
    return least > longest / 4


def sign_changes_at_most_once(values: Float[np.ndarray, "n coefficients"]) -> Bool[np.ndarray, " n"]:
    """Whether a polynomial in one variable has at most one root, by Descartes' rule of signs."""
    inside = values > 0
    return (inside[:, 1:] != inside[:, :-1]).sum(1) <= 1
