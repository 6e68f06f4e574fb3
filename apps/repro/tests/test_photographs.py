from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from repro import photographs


def test_coins_are_found_one_by_one():
    mask = photographs.bright_objects(photographs.load("coins.png"))
    pieces, count = ndimage.label(mask)
    assert count == 24  # as many as a person counts
    areas = np.bincount(pieces.ravel())[1:]
    assert areas.min() > 1000
    for piece in range(1, count + 1):  # no holes
        assert np.array_equal(ndimage.binary_fill_holes(pieces == piece), pieces == piece)


def test_a_disc_on_a_slope_is_found():
    i, j = np.mgrid[:120, :160]
    disc = np.hypot(i - 60, j - 70) < 25
    mask = photographs.bright_objects(0.2 + 0.002 * j + 0.5 * disc)
    assert (
        mask ^ disc
    ).sum() < 0.02 * disc.sum()  # half a pixel of the boundary, 2 / 25 of the area, would be 4 %


def test_corners():
    corners = photographs.random_corners((30, 40), 25, 200, np.random.default_rng(0))
    assert {i for i, _ in corners} == set(range(6))
    assert {j for _, j in corners} == set(range(16))
    assert photographs.tile_corners((151, 384), 75) == [(i, 75 * k) for i in (0, 75) for k in range(5)]


def test_unknown_photograph():
    with pytest.raises(
        ValueError, match=r"no photograph 'moons\.png' ships with scikit-image. There are: .*coins\.png"
    ):
        photographs.load("moons.png")


def test_grey_values():
    image = photographs.load("astronaut.png")
    assert image.shape == (512, 512)
    assert image.dtype == np.float64
    assert 0 <= image.min() < image.max() <= 1
