"""Hausdorff distance between the boundaries of two volumes of 120 x 126 x 164 samples, beside MONAI."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance
from scipy.ndimage import gaussian_filter

from implicit_seg import hausdorff_distance

SHAPE = (120, 126, 164)


def balls():
    z, y, x = np.indices(SHAPE) - np.array([60, 63, 82])[:, None, None, None]
    radius = np.sqrt(x**2 + y**2 + z**2)
    return radius < 50, np.roll(radius < 45, (3, 2, 5), (0, 1, 2))


def rough():
    """Random fields above a level: their boundaries hold a large part of all samples."""
    fields = [gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 4) for seed in (0, 1)]
    mixed = fields[0], fields[0] + 0.5 * fields[1]
    return tuple(field > 0.3 * field.std() for field in mixed)


@pytest.mark.parametrize("percentile", [100.0, 95.0])
@pytest.mark.parametrize("case", [balls, rough])
@pytest.mark.parametrize("name", ["monai", "ours"])
def test_boundaries(timed, case, percentile, name):
    predicted, target = case()
    pair = [torch.from_numpy(mask)[None, None] for mask in (predicted, target)]

    def monai():
        return compute_hausdorff_distance(*pair, include_background=True, percentile=percentile).item()

    def ours():
        return hausdorff_distance(predicted, target, between="boundaries", percentile=percentile)

    group = f"{case.__name__}, percentile {percentile:g}"
    distance = timed(group, name, {"monai": monai, "ours": ours}[name], rounds=3)
    assert distance == pytest.approx(ours(), rel=1e-6)  # MONAI's distances are in float32


@pytest.mark.parametrize("case", [balls, rough])
def test_sets(timed, case):
    """As in the paper; MONAI has no distance of sets."""
    predicted, target = case()
    timed(f"{case.__name__}, sets", "ours", lambda: hausdorff_distance(predicted, target), rounds=3)
