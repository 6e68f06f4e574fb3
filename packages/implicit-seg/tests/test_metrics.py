from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter
from scipy.spatial.distance import cdist, directed_hausdorff

import implicit_seg
from implicit_seg import accuracy, boundary_f, dice, hausdorff_distance, jaccard, score_each

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


def blobs(*shape: int, seed: int, width: float = 3.0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape)
    field = gaussian_filter(noise, width)
    return field > 0.5 * field.std()


@pytest.mark.parametrize(("shape", "spacing"), [((40, 50), (1.0, 1.0)), ((20, 30, 24), (0.5, 1.0, 2.0))])
@pytest.mark.parametrize("percentile", [100.0, 95.0, 50.0])
def test_boundaries_equal_monai(shape, spacing, percentile):
    pair = blobs(*shape, seed=0), blobs(*shape, seed=1)
    want = compute_hausdorff_distance(
        *(torch.from_numpy(mask)[None, None] for mask in pair),
        include_background=True,
        percentile=percentile,
        spacing=list(spacing),
    ).item()
    got = hausdorff_distance(*pair, between="boundaries", spacing=spacing, percentile=percentile)
    # MONAI's distances are in float32
    assert got == pytest.approx(want, rel=4 * torch.finfo(torch.float32).eps)


def test_percentile_of_the_sets():
    a, b = blobs(30, 40, seed=2), blobs(30, 40, seed=3)
    points = [np.argwhere(mask) for mask in (a, b)]
    all_pairs = cdist(*points)
    for percentile in (30.0, 90.0, 99.0):
        want = max(np.percentile(all_pairs.min(axis), percentile) for axis in (0, 1))
        assert hausdorff_distance(a, b, percentile=percentile) == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("between", ["sets", "boundaries"])
def test_hausdorff_of_volumes_equals_the_distance_transform(seed, between):
    """Large enough for cells of several levels."""
    a, b = blobs(50, 33, 41, seed=seed), blobs(50, 33, 41, seed=seed + 9)
    b[:, :, 20:] = False
    sets = [mask & ~binary_erosion(mask) for mask in (a, b)] if between == "boundaries" else [a, b]
    steps = (1.0, 0.7, 1.3)
    directed = [distance_transform_edt(~sets[1 - k], sampling=steps)[sets[k]].max() for k in range(2)]
    assert hausdorff_distance(a, b, between=between, spacing=steps) == pytest.approx(max(directed), rel=1e-14)


@settings(max_examples=40, deadline=None)
@given(PAIRS, st.sampled_from([0.0, 1.0, 1.5, 3.0]))
def test_boundary_f_equals_all_pairs(pair, tolerance):
    points = [np.argwhere(mask & ~binary_erosion(mask)) for mask in pair]
    if not all(len(p) for p in points):
        want = float(not any(len(p) for p in points))
    else:
        near = cdist(*points) <= tolerance
        precision, recall = near.any(1).mean(), near.any(0).mean()
        want = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert boundary_f(*pair, tolerance=tolerance) == pytest.approx(want, rel=1e-14)


def test_overlap_equals_monai():
    a, b = (
        np.stack([blobs(12, 20, 16, seed=seed + k) for k in range(4)]).reshape(2, 2, 12, 20, 16)
        for seed in (0, 7)
    )
    tensors = torch.from_numpy(a), torch.from_numpy(b)
    for score, theirs in ((dice, compute_dice), (jaccard, compute_iou)):
        want = theirs(*tensors, include_background=True).numpy()
        assert score_each(score, a, b, axes=(0, 1)) == pytest.approx(
            want, rel=4 * torch.finfo(torch.float32).eps
        )


def test_each_slice_item_and_class(generator):
    a, b = (torch.rand(3, 2, 6, 5, generator=generator) > 0.5 for _ in range(2))
    each = score_each(dice, a, b, axes=(1, 0))
    assert each.shape == (2, 3)
    assert each[1, 2] == dice(a[2, 1], b[2, 1])
    slices = score_each(hausdorff_distance, a[0], b[0], axes=-1, spacing=(1.0, 2.0))
    assert slices[4] == hausdorff_distance(a[0, ..., 4], b[0, ..., 4], spacing=(1.0, 2.0))


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
        assert hausdorff_distance(full, empty, between=between, percentile=50.0) == float("inf")
    assert boundary_f(empty, empty) == 1
    assert boundary_f(empty, full) == boundary_f(full, empty) == 0
    assert implicit_seg.perimeter_ratio(empty, empty) == 1
    assert implicit_seg.perimeter_ratio(full, empty) == float("inf")
    assert implicit_seg.perimeter_ratio(empty, full) == 0


def test_tensors_and_arrays_give_the_same(generator):
    a, b = (torch.rand(2, 6, 7, generator=generator) > 0.5 for _ in range(2))
    for score in (accuracy, dice, jaccard, hausdorff_distance):
        assert score(a, b.float()) == score(a.numpy(), b.numpy().astype(int))


def test_messages(unchecked):
    mask = np.zeros((3, 3))
    with pytest.raises(ValueError, match=r"one shape; got \(3, 3\) and \(3, 2\)"):
        dice(mask, mask[:, :2])
    with pytest.raises(ValueError, match=r"`predicted` must hold 0 and 1 only; predicted\[0, 0\] is 0.5"):
        jaccard(mask + 0.5, mask)
    with pytest.raises(ValueError, match=r"`target` must hold 0 and 1 only; target\[0, 0\] is nan"):
        jaccard(mask, mask * np.nan)
    with pytest.raises(ValueError, match="`predicted` holds no samples"):
        accuracy(mask[:0], mask[:0])
    with pytest.raises(ValueError, match="`spacing` must be one positive finite number or 2"):
        hausdorff_distance(mask, mask, spacing=(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"`spacing` must be .* got inf"):
        hausdorff_distance(mask, mask, spacing=float("inf"))
    with pytest.raises(ValueError, match='"sets" or "boundaries"'):
        hausdorff_distance(mask, mask, between="hulls")
    with pytest.raises(ValueError, match="`percentile` must be above 0 and at most 100; got 0"):
        hausdorff_distance(mask, mask, percentile=0.0)
    with pytest.raises(ValueError, match="`tolerance` must not be negative; got -1"):
        boundary_f(mask, mask, tolerance=-1.0)
    with pytest.raises(ValueError, match=r"`axes` must be different dimensions of 2; got \(0, -2\)"):
        score_each(dice, mask, mask, axes=(0, -2))
    with pytest.raises(ValueError, match=r"`axes` must be different dimensions of 2; got \(2,\)"):
        score_each(dice, mask, mask, axes=2)
