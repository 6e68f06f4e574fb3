"""Labelling against a flood fill, against scipy, and the rule of the least size against its wording."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kspline_core import regions

SIDES = [(-1, 0), (1, 0), (0, -1), (0, 1)]
CORNERS = [(-1, -1), (-1, 1), (1, -1), (1, 1)]


def neighbours(shape, place, connectivity):
    for step in SIDES + CORNERS * (connectivity == 8):
        i, j = place[0] + step[0], place[1] + step[1]
        if 0 <= i < shape[0] and 0 <= j < shape[1]:
            yield i, j


def flood_fill(keys, connectivity):
    """Components of equal keys, numbered in the order of their first pixels."""
    labels = np.full(keys.shape, -1)
    count = 0
    for seed in np.ndindex(*keys.shape):
        if labels[seed] >= 0:
            continue
        labels[seed] = count
        queue = deque([seed])
        while queue:
            place = queue.popleft()
            for other in neighbours(keys.shape, place, connectivity):
                if labels[other] < 0 and keys[other] == keys[seed]:
                    labels[other] = count
                    queue.append(other)
        count += 1
    return labels


def merged(labels, connectivity, min_size):
    """The rounds of the docstring, by sets and dictionaries."""
    while True:
        sizes = dict(enumerate(np.bincount(labels.ravel()).tolist()))
        touching = {region: set() for region in sizes}
        for place in np.ndindex(*labels.shape):
            for other in neighbours(labels.shape, place, connectivity):
                if labels[place] != labels[other]:
                    touching[labels[place]].add(labels[other])
        choices = {
            region: max(touching[region], key=lambda other: (sizes[other], -other))
            for region in sizes
            if sizes[region] < min_size and touching[region]
        }
        if not choices:
            return labels
        keys = labels.copy()
        for _ in sizes:  # the least label of each tree reaches all of it
            for a, b in choices.items():
                low = min(keys[labels == a].min(), keys[labels == b].min())
                keys[labels == a] = keys[labels == b] = low
        _, labels = np.unique(keys, return_inverse=True)
        labels = labels.reshape(keys.shape)


images = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
)


@settings(max_examples=200, deadline=None)
@given(st.data(), images, st.sampled_from([4, 8]))
def test_components_are_those_of_a_flood_fill(data, image, connectivity):
    levels = sorted(data.draw(st.sets(st.sampled_from([0.3, 0.4, 0.5, 0.9]), max_size=3)))
    keys = np.digitize(image, levels)
    np.testing.assert_array_equal(
        regions(image, levels, connectivity=connectivity), flood_fill(keys, connectivity)
    )
    superpixels = data.draw(hnp.arrays(np.int64, image.shape, elements=st.sampled_from([-(2**31), 3, 9])))
    both = keys + 10 * np.unique(superpixels, return_inverse=True)[1].reshape(image.shape)
    np.testing.assert_array_equal(
        regions(image, levels, connectivity=connectivity, labels=superpixels), flood_fill(both, connectivity)
    )


@settings(max_examples=200, deadline=None)
@given(images, st.sampled_from([4, 8]), st.integers(1, 30))
def test_small_regions_join_their_largest_neighbour(image, connectivity, min_size):
    want = merged(flood_fill(image >= 0.5, connectivity), connectivity, min_size)
    ours = regions(image, connectivity=connectivity, min_size=min_size)
    np.testing.assert_array_equal(ours, want)
    assert np.bincount(ours.ravel()).min() >= min(min_size, image.size)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("smooth", [0, 1, 4])
def test_scipy(rng, connectivity, smooth):
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    noise = rng.standard_normal((3, 97, 61))
    image = ndimage.gaussian_filter(noise, (0, smooth, smooth))
    ours = regions(image, (0.0,), connectivity=connectivity)
    structure = np.ones((3, 3)) if connectivity == 8 else None
    for one, labels in zip(image, ours, strict=True):
        above, count = ndimage.label(one >= 0, structure)
        below, _ = ndimage.label(one < 0, structure)
        theirs = np.where(one >= 0, above, count + below)
        pairs = np.unique(np.stack([labels.ravel(), theirs.ravel()]), axis=1)
        # the same partition: each label on one side goes with one on the other
        assert pairs.shape[1] == labels.max() + 1 == theirs.max()


def test_a_spiral_and_a_chessboard():
    """The worst cases: one region as long as half the image, and one for each pixel."""
    n = 101
    spiral = np.zeros((n, n))
    i = j = 0
    spiral[0, 0] = 1
    step, turns = (0, 1), 0
    while turns < 2:
        a, b = i + step[0], j + step[1]
        c, d = a + step[0], b + step[1]
        blocked = not (0 <= a < n and 0 <= b < n) or (0 <= c < n and 0 <= d < n and spiral[c, d] == 1)
        if blocked:
            step, turns = (step[1], -step[0]), turns + 1
        else:
            i, j, turns = a, b, 0
            spiral[i, j] = 1
    assert regions(spiral).max() == 1
    board = np.indices((n, n)).sum(axis=0) % 2
    np.testing.assert_array_equal(regions(board), np.arange(n * n).reshape(n, n))
    assert regions(board, connectivity=8).max() == 1


def test_batches_strides_dtypes_and_threads(rng):
    image = rng.random((2, 3, 40, 30))
    want = np.stack([[regions(one, (0.3, 0.6), min_size=3) for one in row] for row in image])
    np.testing.assert_array_equal(regions(image, (0.3, 0.6), min_size=3), want)
    np.testing.assert_array_equal(regions(image, (0.3, 0.6), min_size=3, threads=1), want)
    turned = np.ascontiguousarray(image.swapaxes(-1, -2)).swapaxes(-1, -2)
    np.testing.assert_array_equal(regions(turned, (0.3, 0.6), min_size=3), want)
    whole = (image * 10).astype(np.int16)
    np.testing.assert_array_equal(regions(whole, (3.0, 6.0)), regions(whole.astype(float), (3.0, 6.0)))


def test_levels_are_rounded_to_the_dtype_of_the_image():
    image = np.array([[0.7, 0.0]], np.float32)  # below 0.7 as a float64
    assert float(image[0, 0]) < 0.7
    np.testing.assert_array_equal(regions(image, (0.7,)), [[0, 1]])


def test_labels_of_one_image_serve_a_batch(rng):
    labels = np.repeat(np.arange(6).reshape(2, 3), 5, axis=0)
    ours = regions(np.zeros((4, 10, 3)), (), labels=labels)
    np.testing.assert_array_equal(ours, np.broadcast_to(labels, (4, 10, 3)))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 4, 4), (1, 1)])
def test_empty_and_least_images(shape):
    ours = regions(np.zeros(shape), min_size=5)
    assert ours.shape == shape
    assert not ours.any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"image": np.zeros(4)}, ValueError, r"`image` must have a shape \(..., height, width\); got \(4,\)"),
        ({"image": [[0.0, np.nan]]}, ValueError, r"`image` must be finite; image\[0, 1\] = nan. Repair it"),
        ({"image": [["a"]]}, TypeError, "`image` must hold float32, float64 or integers"),
        ({"levels": (0.5, 0.5)}, ValueError, r"`levels` must increase; levels\[0\] = 0.5 >= levels\[1\]"),
        ({"levels": (np.inf,)}, ValueError, r"`levels` must be finite; levels\[0\] = inf"),
        ({"connectivity": 6}, ValueError, "`connectivity` must be 4 or 8; got 6"),
        ({"min_size": 0}, ValueError, "`min_size` must be at least 1; got 0"),
        ({"min_size": 1.5}, TypeError, "`min_size` must be an integer; got 1.5"),
        ({"threads": 0}, ValueError, "`threads` must be at least 1; got 0"),
        ({"labels": np.zeros((2, 2))}, TypeError, "`labels` must hold integers; got dtype float64"),
        ({"labels": [[1, 2]]}, ValueError, r"`labels` must have the shape of `image`, \(2, 2\), .* \(1, 2\)"),
        ({"labels": [[1, 2**31], [0, 0]]}, ValueError, "`labels` must lie within 32 bits; got 2147483648"),
    ],
)
def test_errors(unchecked, arguments, error, message):
    with pytest.raises(error, match=message):
        unchecked.regions(**{"image": [[0.0, 1.0], [1.0, 0.0]], **arguments})


def test_too_many_pixels(unchecked):
    image = np.broadcast_to(np.float32(0), (2**16, 2**16))
    with pytest.raises(ValueError, match=r"at most 2147483647 pixels; got 65536 x 65536\. Cut it"):
        unchecked.regions(image)
