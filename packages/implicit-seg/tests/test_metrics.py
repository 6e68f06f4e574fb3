from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import directed_hausdorff

from implicit_seg import accuracy, dice, hausdorff_distance, jaccard

PAIRS = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_scores_equal_those_of_sets(pair):
    a, b = (set(zip(*np.nonzero(mask), strict=True)) for mask in pair)
    assert accuracy(*pair) == pytest.approx(1 - len(a ^ b) / pair[0].size)
    if a | b:
        assert dice(*pair) == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
        assert jaccard(*pair) == pytest.approx(len(a & b) / len(a | b))
        assert jaccard(*pair) == pytest.approx(dice(*pair) / (2 - dice(*pair)))


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.sampled_from([1.0, (0.25, 1.0, 3.0)]))
def test_hausdorff_equals_scipy(pair, spacing):
    points = [np.argwhere(mask) * np.asarray(spacing) for mask in pair]
    if not all(len(p) for p in points):
        return
    want = max(directed_hausdorff(*points)[0], directed_hausdorff(*points[::-1])[0])
    assert hausdorff_distance(*pair, spacing=spacing) == pytest.approx(want, rel=4e-16 * 8)
    assert hausdorff_distance(pair[1], pair[0], spacing=spacing) == hausdorff_distance(*pair, spacing=spacing)


def test_a_hole_is_seen_between_boundaries_only():
    square = np.zeros((31, 31))
    square[5:26, 5:26] = 1
    pierced = square.copy()
    pierced[15, 15] = 0
    assert hausdorff_distance(pierced, square) == 1
    # the hole's four neighbours are 9 steps from the sides of the square, which are 10 from its centre
    assert hausdorff_distance(pierced, square, between="boundaries") == 9


def test_hausdorff_of_shifted_boxes():
    a, b = np.zeros((2, 30, 30), bool)
    a[5:10, 5:10] = True
    b[9:14, 8:13] = True
    assert hausdorff_distance(a, b) == 5
    assert hausdorff_distance(a, b, spacing=2.0) == 10
    assert hausdorff_distance(a, b, spacing=(2.0, 1.0)) == pytest.approx(np.hypot(8, 3))


def test_empty_masks():
    empty, full = np.zeros((4, 4)), np.ones((4, 4))
    assert dice(empty, empty) == jaccard(empty, empty) == accuracy(empty, empty) == 1
    assert dice(empty, full) == jaccard(empty, full) == accuracy(empty, full) == 0
    for between in ("sets", "boundaries"):
        assert hausdorff_distance(empty, empty, between=between) == 0
        assert hausdorff_distance(empty, full, between=between) == float("inf")
        assert hausdorff_distance(full, empty, between=between) == float("inf")


def test_tensors_and_arrays_give_the_same(generator):
    a, b = (torch.rand(2, 6, 7, generator=generator) > 0.5 for _ in range(2))
    for score in (accuracy, dice, jaccard, hausdorff_distance):
        assert score(a, b.float()) == score(a.numpy(), b.numpy().astype(int))


def test_messages(unchecked):
    mask = np.zeros((3, 3))
    with pytest.raises(ValueError, match=r"one shape; got \(3, 3\) and \(3, 2\)"):
        dice(mask, mask[:, :2])
    with pytest.raises(ValueError, match=r"`predicted` must hold 0 and 1 only; it holds 0.5"):
        jaccard(mask + 0.5, mask)
    with pytest.raises(ValueError, match="`target` must hold 0 and 1 only; it holds nan"):
        jaccard(mask, mask * np.nan)
    with pytest.raises(ValueError, match="`predicted` holds no samples"):
        accuracy(mask[:0], mask[:0])
    with pytest.raises(ValueError, match="`spacing` must be one positive finite number or 2"):
        hausdorff_distance(mask, mask, spacing=(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"`spacing` must be .* got inf"):
        hausdorff_distance(mask, mask, spacing=float("inf"))
    with pytest.raises(ValueError, match='"sets" or "boundaries"'):
        hausdorff_distance(mask, mask, between="hulls")
