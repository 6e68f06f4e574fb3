from __future__ import annotations

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest

from repro import style

# Machado, Oliveira and Fernandes 2009, table 1 at severity 1: how a colour in linear RGB looks to those who
# lack red- and green-sensitive cones
SIGHTS = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
# sRGB's primaries with white D65, IEC 61966-2-1
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2's ratio of relative luminances."""
    low, high = sorted(TO_XYZ[1] @ linear(colour) + 0.05 for colour in (one, other))
    return high / low


def lab(colour, sight):
    ratio = TO_XYZ @ np.clip(SIGHTS[sight] @ linear(colour), 0, 1) / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", style.SCHEMES)
def test_text_and_lines_stand_out_from_what_they_are_on(scheme):
    colours = style.SCHEMES[scheme]
    for ground in (colours.page, colours.card):
        assert contrast(colours.text, ground) >= 7  # WCAG AAA
        assert contrast(colours.muted, ground) >= 4.5  # WCAG AA, as it is text too
        assert contrast(colours.accent, ground) >= 4.5
    assert all(contrast(colour, colours.card) >= 3 for colour in colours.cycle)  # WCAG AA for graphics


@pytest.mark.parametrize("scheme", style.SCHEMES)
@pytest.mark.parametrize("sight", SIGHTS)
def test_lines_are_told_apart_by_every_eye(scheme, sight):
    # a CIELAB difference of 2.3 is just seen (Mahy et al. 1994); six times that is plain between thin lines
    cycle = style.SCHEMES[scheme].cycle
    near = min(np.linalg.norm(lab(a, sight) - lab(b, sight)) for a, b in combinations(cycle, 2))
    assert near >= 15


def test_a_style_is_in_force_while_drawing_only(monkeypatch):
    monkeypatch.setitem(mpl.rcParams, "lines.linewidth", 7.0)
    before = dict(mpl.rcParams)
    for scheme, colours in style.SCHEMES.items():
        with style.drawing(scheme):
            assert mpl.rcParams["axes.facecolor"] == colours.card
            assert mpl.rcParams["lines.linewidth"] != 7.0  # whatever the user's settings are
        assert dict(mpl.rcParams) == before
