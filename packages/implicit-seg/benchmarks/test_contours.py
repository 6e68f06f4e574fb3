"""Contours of a cubic spline of 32 x 32 coefficients, beside scikit-image on a grid of equal accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import find_contours

from implicit_seg import ImplicitSpline

SIZE = (128, 128)


@pytest.fixture(scope="module")
def net():
    return gaussian_filter(np.random.default_rng(0).standard_normal((32, 32)), 2.5)


def error(shape, loops):
    """Largest distance of vertices and of the middles of edges from the zero set, to first order."""
    worst = 0.0
    for loop in loops:
        points = np.concatenate([loop, (loop[1:] + loop[:-1]) / 2])
        points = points[((points > 0) & (points < np.array(SIZE) - 1)).all(1)]  # not along the border
        distance = np.abs(shape(points)) / np.linalg.norm(shape.gradient(points), axis=1)
        worst = max(worst, float(distance.max(initial=0)))
    return worst


def sampled(shape, factor):
    values = shape.values([factor * (m - 1) + 1 for m in SIZE])
    return [loop / factor for loop in find_contours(values, 0.0)]


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("name", ["scikit-image", "ours"])
def test_contours(timed, net, tolerance, name):
    shape = ImplicitSpline(net, 3, size=SIZE)
    reached = error(shape, [loop.points for loop in shape.contours(tolerance)])
    assert reached <= 1.05 * tolerance
    factor = 1
    while factor < 64 and error(shape, sampled(shape, factor)) > max(reached, tolerance / 2):
        factor *= 2

    def ours():  # a new one each time: a shape keeps what it has found
        return ImplicitSpline(net, 3, size=SIZE).contours(tolerance)

    def peer():
        return sampled(shape, factor)

    group = f"contours within {tolerance:g} pixels (scikit-image: {factor} samples a pixel)"
    loops = timed(group, name, peer if name == "scikit-image" else ours, rounds=5)
    if name == "ours":
        assert len([loop for loop in loops if len(loop.points) > 8]) >= 1
