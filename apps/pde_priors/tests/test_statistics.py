from __future__ import annotations

import numpy as np
import pytest

from pde_priors._statistics import interval


def crossed(generator: np.random.Generator, networks: int, frames: int) -> np.ndarray:
    """Scores with a part of the network (deviation 1) and a part of the frame (deviation 2), mean 0."""
    return generator.normal(size=(networks, 1)) + 2 * generator.normal(size=(1, frames))


def test_of_many_networks_and_frames_it_is_the_normal_interval():
    table = crossed(np.random.default_rng(0), 400, 900)
    found = interval([table])
    error = np.sqrt(table.mean(1).var() / 400 + table.mean(0).var() / 900)
    assert found.mean == pytest.approx(table.mean())
    # 4000 resamples know the ends to about 3 % of the error of the mean; three times that
    assert found.high - found.mean == pytest.approx(1.96 * error, rel=0.09)
    assert found.mean - found.low == pytest.approx(1.96 * error, rel=0.09)


def test_of_few_it_holds_the_truth_as_often_as_it_says():
    """Five networks on four frames: 95 % are promised; plain percentiles reach 83 to 89 % here."""
    generator = np.random.default_rng(1)
    found = [interval([crossed(generator, 5, 4)]) for _ in range(200)]
    held = np.mean([one.low <= 0 <= one.high for one in found])
    assert held > 0.90  # three deviations of 200 draws below 95 %


def test_frames_of_all_groups_weigh_the_same():
    found = interval([np.zeros((3, 2)), np.ones((3, 6))])
    assert (found.mean, found.low, found.high) == (0.75, 0.75, 0.75)


def test_what_does_not_vary_has_no_width():
    found = interval([np.array([[0.5]])])
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)
    of_networks = interval([np.array([[0.1], [0.2], [0.3], [0.4]])])
    assert of_networks.low == pytest.approx(0.1)
    assert of_networks.high == pytest.approx(0.4)


@pytest.mark.parametrize(("networks", "frames"), [(4, 4), (3, 4), (4, 3), (20, 1)])
def test_little_is_never_significant(networks, frames):
    found = interval([np.full((networks, frames), 0.1)])
    assert found.significant == (min(networks, frames) >= 4)
    assert str(found) == "+0.1000 [+0.1000, +0.1000]" + (" *" if found.significant else "")
    assert not interval([np.zeros((networks, frames))]).significant


@pytest.mark.parametrize("groups", [[], [np.zeros((0, 3))], [np.zeros(3)]])
def test_what_is_no_table(groups):
    with pytest.raises(ValueError, match="must hold tables of networks and frames; got the shapes"):
        interval(groups)
