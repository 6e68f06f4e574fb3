from __future__ import annotations

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import euler_number

from implicit_seg import betti_error, betti_numbers

MASKS = st.one_of(
    arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 6))),
    arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))),
)


def rank(matrix: np.ndarray) -> int:
    """Of a matrix over the field of two elements."""
    matrix, count = matrix.copy() % 2, 0
    for column in range(matrix.shape[1]):
        (rows,) = np.nonzero(matrix[count:, column])
        if len(rows):
            matrix[[count, count + rows[0]]] = matrix[[count + rows[0], count]]
            others = np.nonzero(matrix[:, column])[0]
            matrix[others[others != count]] ^= matrix[count]
            count += 1
    return count


def homology(mask: np.ndarray, connectivity: str) -> tuple[int, ...]:
    """Betti numbers from the ranks of the boundary maps of a cubical complex.

    A cell is a point of the grid of half steps; its odd coordinates are the directions in which it extends.
    """
    cells, padded = set(), np.pad(mask, (0, 1))
    for index in np.argwhere(mask):
        if connectivity == "full":  # the closed cube of a sample: all of its faces, edges and corners
            cells |= {tuple(2 * index + 1 + np.array(k)) for k in product((-1, 0, 1), repeat=mask.ndim)}
        else:  # samples are points; a cell is there where all of its corners are
            for odd in product((0, 1), repeat=mask.ndim):
                corners = [tuple(index + np.array(k)) for k in product(*[range(o + 1) for o in odd])]
                if all(padded[c] for c in corners):
                    cells.add(tuple(2 * index + np.array(odd)))
    levels = [sorted(c for c in cells if sum(x % 2 for x in c) == k) for k in range(mask.ndim + 1)]
    ranks = [0]
    for lower, upper in pairwise(levels):
        place = {cell: k for k, cell in enumerate(lower)}
        matrix = np.zeros((len(lower), len(upper)), np.uint8)
        for column, cell in enumerate(upper):
            for axis, sign in product(range(mask.ndim), (-1, 1)):
                if cell[axis] % 2:
                    face = (*cell[:axis], cell[axis] + sign, *cell[axis + 1 :])
                    matrix[place[face], column] = 1
        ranks.append(rank(matrix))
    ranks.append(0)
    return tuple(len(levels[k]) - ranks[k] - ranks[k + 1] for k in range(mask.ndim))


@settings(max_examples=80, deadline=None)
@given(MASKS, st.sampled_from(["full", "faces"]))
def test_betti_numbers_are_ranks_of_homology(mask, connectivity):
    assert betti_numbers(mask, connectivity=connectivity) == homology(mask, connectivity)


@pytest.mark.parametrize("connectivity", ["full", "faces"])
@pytest.mark.parametrize("shape", [(60, 70), (20, 24, 18)])
def test_euler_characteristic_equals_skimage(shape, connectivity):
    mask = np.random.default_rng(0).random(shape) > 0.6
    numbers = betti_numbers(mask, connectivity=connectivity)
    want = euler_number(mask, connectivity=len(shape) if connectivity == "full" else 1)
    assert sum((-1) ** k * b for k, b in enumerate(numbers)) == want
    if len(shape) == 3:
        assert numbers[1] > 0


def test_known_shapes():
    assert betti_numbers(np.array([True, False, True])) == (2,)
    y, x = np.indices((40, 40)) - 20
    annulus = abs(np.hypot(y, x) - 12) < 4
    assert betti_numbers(annulus) == (1, 1)
    assert betti_error(annulus, np.hypot(y, x) < 16) == 1
    z, y, x = np.indices((17, 40, 40)) - np.array([8, 20, 20])[:, None, None, None]
    torus = np.hypot(np.hypot(y, x) - 12, z) < 5
    shell = np.hypot(np.hypot(y, x) - 12, z) < 3
    assert betti_numbers(torus) == (1, 1, 0)
    assert betti_numbers(torus & ~shell) == (1, 2, 1)
    assert betti_error(torus & ~shell, torus) == 2


def test_diagonal_neighbours():
    mask = np.eye(4, dtype=bool)
    assert betti_numbers(mask) == (1, 0)
    assert betti_numbers(mask, connectivity="faces") == (4, 0)
    corners = np.zeros((3, 3), bool)
    for a, b in combinations(range(3), 2):
        corners[a, b] = corners[b, a] = (a + b) % 2 == 1
    # a diamond around one sample: a hole if diagonal neighbours touch
    assert betti_numbers(corners) == (1, 1)
    assert betti_numbers(corners, connectivity="faces") == (4, 0)


def test_messages(unchecked):
    with pytest.raises(ValueError, match=r"`mask` must have 1 to 3 dimensions; got the shape \(1, 1, 2, 2\)"):
        betti_numbers(np.zeros((1, 1, 2, 2)))
    with pytest.raises(ValueError, match='`connectivity` must be "full" or "faces"; got 8'):
        betti_numbers(np.zeros((2, 2)), connectivity=8)
    with pytest.raises(ValueError, match="one shape"):
        betti_error(np.zeros((2, 2)), np.zeros((2, 3)))
