from __future__ import annotations

import numpy as np
import pytest

from pde_priors import photograph_data
from pde_priors._variants import SCORES, VARIANTS, scores_of
from pde_priors.livecell import EXPERIMENT, Settings
from repro.arrays import save_arrays
from repro.testing import Broken, RecordingContext

TINY = Settings(
    tiles=(2,),
    size=32,
    repeats=1,
    phase_field=(1.0,),
    reaction_diffusion=(0.04,),
    depth=1,
    filters=2,
    steps=4,
    epochs=2,
)


def test_the_smoke_run(smoke_run):
    run = smoke_run("pde_priors.livecell")
    gain = run.values["dice_all_both"] - run.values["dice_all_none"]
    assert run.values["gain_dice_all_both"] == pytest.approx(gain, abs=1e-12)
    for key in run.values:
        if key.endswith("_low"):
            start = key.removesuffix("_low")
            assert run.values[key] <= run.values[start] <= run.values[f"{start}_high"]
    assert (
        len({run.values[f"dice_all_{variant}"] for variant in VARIANTS}) == 4
    )  # the priors change something
    assert set(run.pictures) == {"predictions", "sizes", "learning"}
    assert any("photographs of scikit-image; 5 frames to train" in line for line in run.lines)


def test_a_broken_run_goes_on_without_repeating_an_epoch(tmp_path):
    unbroken = RecordingContext(tmp_path / "unbroken", draws=False)
    figures = EXPERIMENT.run(TINY, unbroken)
    first = RecordingContext(tmp_path / "broken", breaks_at_line=6, draws=False)
    with pytest.raises(Broken):
        EXPERIMENT.run(TINY, first)
    second = RecordingContext(tmp_path / "broken", draws=False)
    assert EXPERIMENT.run(TINY, second) == figures
    epochs = [[line for line in c.lines if "epoch" in line] for c in (unbroken, first, second)]
    assert epochs[1] + [line for line in epochs[2] if "resumed" not in line] == epochs[0]
    assert len(epochs[0]) == len(set(epochs[0])) == 4 * TINY.epochs
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_weights_are_chosen_by_the_seen_kinds_and_gains_are_paired(tmp_path):
    """From kept trainings, so that nothing is trained; the worse weights would win on the unseen kind."""
    settings = Settings(tiles=(2, 0), repeats=2, phase_field=(1.0, 2.0), reaction_diffusion=(0.1, 0.2))
    test = photograph_data.load(1.0, np.random.default_rng(0)).test
    direction = photograph_data.DIRECTION.replace(">", "-")

    def keep(tiles, weights, repeat, seen, unseen):
        arrays = {
            "scores": np.array([[unseen, unseen / 2, unseen, 100 * unseen]]),
            "validation": np.array([seen]),
            "loss": np.ones(3),
            "seen": np.ones(3),
            "predicted": test[0].mask,
        }
        save_arrays(tmp_path / f"{direction}_{tiles}_{weights[0]:g}_{weights[1]:g}_{repeat}.npz", arrays)

    for repeat in (0, 1):
        for weights, seen, unseen in (
            ((1, 0), 0.8, 0.5),
            ((2, 0), 0.7, 0.9),
            ((0, 0.1), 0.7, 0.9),
            ((0, 0.2), 0.8, 0.6),
        ):
            keep(2, weights, repeat, seen, unseen + 0.1 * repeat)
        for weights, unseen in (((0, 0), 0.4), ((1, 0.2), 0.3)):
            keep(2, weights, repeat, 0.5, unseen + 0.1 * repeat)
        for weights in ((0, 0), (1, 0), (0, 0.2), (1, 0.2)):
            keep(0, weights, repeat, 0.5, 0.7)
    context = RecordingContext(tmp_path)
    values = EXPERIMENT.run(settings, context)
    assert not context.steps
    assert values["dice_few_phase_field"] == pytest.approx(0.55)
    assert values["jaccard_few_none"] == pytest.approx(0.225)
    assert values["hausdorff_few_both"] == pytest.approx(35)
    for variant, gain in (("phase_field", 0.1), ("reaction_diffusion", 0.2), ("both", -0.1)):
        # the difference of the two networks is the same: pairing takes their spread away
        for end in ("", "_low", "_high"):
            assert values[f"gain_dice_few_{variant}{end}"] == pytest.approx(gain)
    assert values["spread_few_none"] == pytest.approx(0.1 / np.sqrt(2))
    assert values["spread_all_none"] == 0
    assert any("weights 2, 0: Dice 0.7000 on seen kinds" in line for line in context.lines)
    assert any(line.endswith("both 1 and 0.2") for line in context.lines)
    # one frame: nothing is called significant
    assert not any("*" in line for line in context.lines)


def test_a_distance_that_does_not_exist_is_the_diagonal():
    mask, empty = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    mask[5:10, 5:10] = True
    scores = dict(zip(SCORES, scores_of(empty, mask), strict=True))
    assert scores == {"dice": 0, "jaccard": 0, "boundary_f": 0, "hausdorff": 50}
    assert scores_of(mask, mask) == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tiles": ()}, "`tiles` is empty"),
        ({"steps": 3, "epochs": 5}, "`steps` must be at least `epochs`, 5"),
    ],
)
def test_settings_that_cannot_work(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_presets():
    assert set(EXPERIMENT.presets) == set(EXPERIMENT.minutes) == {"smoke", "quick", "paper"}
    assert set(EXPERIMENT.data()) == set(photograph_data.FILES)
    for figure in EXPERIMENT.figures:  # the abstract gives no figures
        assert figure.published is None
        assert not figure.comparable
