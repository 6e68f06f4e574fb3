from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from repro._context import RunContext, pictures
from repro.display import Display
from repro.style import SCHEMES


def draw(figure):
    figure.subplots().plot([0, 1], color="C0")


@pytest.fixture
def context(tmp_path):
    return RunContext(seed=0, device="cpu", run=tmp_path, data=None, display=Display())


def test_a_picture_is_drawn_sharply_on_the_ground_of_each_scheme(context, tmp_path):
    context.picture("line", "A line.", draw, size=(3.0, 2.0))
    (picture,) = pictures(tmp_path)
    assert (picture.name, picture.caption, picture.width, picture.height) == ("line", "A line.", 300, 200)
    for file, colours in ((picture.light, SCHEMES["light"]), (picture.dark, SCHEMES["dark"])):
        image = np.asarray(Image.open(tmp_path / file).convert("RGB"))
        assert image.shape == (400, 600, 3)
        for colour in (colours.card, colours.cycle[0]):
            wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            assert (image == wanted).all(axis=2).any(), colour


def test_drawing_leaves_pyplot_alone(context):
    before = "matplotlib.pyplot" in sys.modules
    context.picture("line", "A line.", draw)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_only_the_first_seed_draws(tmp_path):
    context = RunContext(seed=1, device="cpu", run=tmp_path, data=None, display=Display())
    context.picture("line", "A line.", lambda figure: pytest.fail("drawn"))
    assert pictures(tmp_path) == ()


def test_pictures_from_before_a_kill_are_kept_in_their_order(context, tmp_path):
    for name in ("one", "two", "three"):
        context.picture(name, name, draw, size=(1.0, 1.0))
    resumed = RunContext(seed=0, device="cpu", run=tmp_path, data=None, display=Display())
    resumed.picture("three", "drawn again", draw, size=(1.0, 1.0))
    kept = pictures(tmp_path)
    assert [picture.name for picture in kept] == ["one", "two", "three"]
    assert kept[2] == replace(kept[2], caption="drawn again")


@pytest.mark.parametrize("name", ["../outside", "a b", "", "a.png"])
def test_names_are_file_names(context, name):
    with pytest.raises(ValueError, match=r"`name` must be a file name of letters, digits, `_` and `-`; got"):
        context.picture(name, "", draw)


def test_names_are_unique(context):
    context.picture("line", "A line.", draw, size=(1.0, 1.0))
    with pytest.raises(ValueError, match="`name`: a picture 'line' is there already"):
        context.picture("line", "Another.", draw)


def test_log_lines_have_the_time_and_the_seed(context, tmp_path):
    context.log("half way")
    context.log("all the way")
    one, two = (tmp_path / "log.txt").read_text().splitlines()
    assert one.endswith("Z  seed 0: half way")
    assert two.endswith("Z  seed 0: all the way")
