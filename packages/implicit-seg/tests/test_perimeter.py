from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import perimeter_crofton

from implicit_seg import mask_perimeter, perimeter_ratio


def ball(radius: float, steps: tuple[float, ...]) -> np.ndarray:
    axes = [np.arange(-1.2 * radius, 1.2 * radius, step) for step in steps]
    return sum(x**2 for x in np.meshgrid(*axes, indexing="ij")) < radius**2


def test_equal_spacing_equals_skimage():
    mask = np.random.default_rng(0).random((30, 41)) > 0.5
    assert mask_perimeter(mask, spacing=0.5) == pytest.approx(0.5 * perimeter_crofton(np.pad(mask, 1), 4))


@pytest.mark.parametrize("steps", [(1.0, 1.0), (0.5, 1.0), (1.0, 0.4)])
def test_discs(steps):
    """Four directions err by 1 % at most on a disc, and with unequal steps they are farther apart."""
    got = mask_perimeter(ball(40.0, steps), spacing=steps)
    assert got == pytest.approx(2 * np.pi * 40, rel=0.01 if steps == (1.0, 1.0) else 0.03)


@pytest.mark.parametrize("steps", [(1.0, 1.0, 1.0), (1.0, 1.0, 0.5)])
def test_balls(steps):
    got = mask_perimeter(ball(20.0, steps), spacing=steps)
    assert got == pytest.approx(4 * np.pi * 20**2, rel=0.01)


def test_the_border_of_the_grid_counts():
    full, inner = np.ones((20, 20)), np.zeros((22, 22))
    inner[1:-1, 1:-1] = 1
    assert mask_perimeter(full) == mask_perimeter(inner)
    assert mask_perimeter(full) == pytest.approx(80, rel=0.07)


def test_ratio():
    disc, rough = ball(20.0, (1.0, 1.0)), ball(20.0, (1.0, 1.0))
    rough[::2] = False
    assert perimeter_ratio(disc, disc) == 1
    assert perimeter_ratio(rough, disc) == mask_perimeter(rough) / mask_perimeter(disc) > 2


def test_messages(unchecked):
    with pytest.raises(ValueError, match=r"`mask` must have 2 or 3 dimensions; got the shape \(4,\)"):
        mask_perimeter(np.ones(4))
    with pytest.raises(ValueError, match="`spacing` must be one positive finite number or 2"):
        mask_perimeter(np.ones((4, 4)), spacing=0.0)
    with pytest.raises(ValueError, match="one shape"):
        perimeter_ratio(np.ones((4, 4)), np.ones((4, 5)))
