from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pde_priors import photograph_data
from pde_priors._frames import Frame, draw_tiles, half_frame, halved, split_by_site, standardised


def frame(kind: str, site: str, value: float = 0.0, size: tuple[int, int] = (8, 12)) -> Frame:
    return Frame(f"{kind} {site}", kind, site, np.full(size, value, np.float32), np.zeros(size, bool))


def test_half_resolution():
    image = np.arange(20.0).reshape(4, 5)
    assert halved(image).tolist() == [[3, 5], [13, 15]]  # the odd column is left out
    mask = np.array([[1, 1, 1, 0], [0, 0, 0, 0]])
    half = half_frame("a", "b", "c", np.arange(8).reshape(2, 4), mask)
    assert half.mask.tolist() == [[True, False]]  # half of the four pixels are enough
    assert half.image.mean() == pytest.approx(0)
    assert half.image.std() == pytest.approx(1)


def test_a_constant_image_is_refused():
    with pytest.raises(ValueError, match="constant: all its pixels are 7"):
        standardised(np.full((4, 4), 7))


def test_no_site_is_on_two_sides():
    frames = [frame("a", site) for site in "211"] + [frame("b", site) for site in "34"] + [frame("c", "1")]
    split = split_by_site(frames, ["a", "b"], "c")
    assert [f.name for f in split.train] == ["a 1", "a 1", "b 3"]
    assert [f.name for f in split.validation] == ["a 2", "b 4"]
    assert [f.name for f in split.test] == ["c 1"]


def test_kinds_that_are_missing_or_of_one_site_are_named():
    frames = [frame("a", "1"), frame("b", "1"), frame("b", "2")]
    with pytest.raises(ValueError, match="no frame of the kind 'x'; there are: a, b"):
        split_by_site(frames, ["b"], "x")
    with pytest.raises(ValueError, match=r"kind 'a' are from one site \(1\); two are needed"):
        split_by_site(frames, ["a"], "b")


def test_tiles_take_turns_and_a_larger_draw_begins_with_a_smaller_one():
    frames = [frame("a", "1", 1.0), frame("a", "2", 2.0), frame("b", "1", 3.0)]  # six tiles each
    every = draw_tiles(frames, 4, 0, np.random.default_rng(0))
    few = draw_tiles(frames, 4, 4, np.random.default_rng(0))
    assert len(every) == 18
    assert [float(image.max()) == 3.0 for image, _ in few] == [False, True] * 2
    assert all(a is not b and a.equal(b) for (a, _), (b, _) in zip(few, every[:4], strict=True))
    assert {image.shape for image, _ in every} == {mask.shape for _, mask in every} == {(1, 4, 4)}
    assert sum(float(image.max()) == 1.0 for image, _ in every) == 6  # none twice, none forgotten


@pytest.mark.parametrize(("size", "count", "there"), [(4, 7, 6), (9, 0, 0)])
def test_too_few_tiles(size, count, there):
    with pytest.raises(ValueError, match=f"room for {there} tiles of {size} x {size}"):
        draw_tiles([frame("a", "1")], size, count, np.random.default_rng(0))


def test_photographs_hold_what_they_are_said_to_hold():
    split = photograph_data.load(0.5, np.random.default_rng(0))
    counts = {
        name: [ndimage.label(f.mask)[1] for f in frames]
        for name, frames in (("train", split.train), ("validation", split.validation), ("test", split.test))
    }
    assert [f.kind for f in split.train] == ["coins"] * 2 + ["galaxies"] * 3
    assert [f.kind for f in split.validation] == ["coins", "galaxies"]
    assert min(counts["train"] + counts["validation"]) >= 3
    assert counts["test"] == [1]
    coins = np.bincount(ndimage.label(split.train[0].mask)[0].ravel())[1:]
    width = np.sqrt(split.test[0].mask.sum() / coins.max())
    assert width == pytest.approx(1.5, abs=0.1)  # of the cell, in widths of a coin
    again = photograph_data.load(0.5, np.random.default_rng(0))
    assert np.array_equal(split.test[0].image, again.test[0].image)
