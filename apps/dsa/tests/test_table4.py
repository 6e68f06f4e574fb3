from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from dsa.table4 import DEGREE, EXPERIMENT, MODELS, Data, Scores, Settings, points_of, trained
from nurbs_diff.splinenet import Patches, random_patches
from repro.testing import Broken, RecordingContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repro.fixtures import SmokeRun

TINY = Settings(
    steps=8, batch_size=3, points=48, samples=8, widths=(8, 8), features=16, held_out=4, validate_every=4
)


def test_nothing_beats_the_true_surface_after_a_few_steps(smoke_run: Callable[[str], SmokeRun]) -> None:
    run = smoke_run("dsa.table4")
    for model in MODELS:
        for metric in ("squared", "unsquared"):
            assert run.values[f"{metric}_{model.key}"] > run.values[f"{metric}_floor"] > 0
    assert set(run.pictures) == {"surfaces", "scores", "learning"}
    assert "patches are generated" in run.lines[0]


def test_published_figures_stand_beside_other_data() -> None:
    published = [figure for figure in EXPERIMENT.figures if figure.published is not None]
    assert [figure.published for figure in published] == [0.03, 0.14, 0.02, 1.18]
    assert not any(figure.comparable for figure in EXPERIMENT.figures)


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    def networks(folder: str, breaks_at_step: int | None = None) -> dict[str, torch.Tensor]:
        context = contexts[folder] = RecordingContext(tmp_path / folder, breaks_at_step=breaks_at_step)
        data = Data(TINY, context)
        validation = data.draw("validation", 4, torch.Generator().manual_seed(1))
        return trained(MODELS[3], TINY, context, data.training, validation)[0].state_dict()

    contexts: dict[str, RecordingContext] = {}
    whole = networks("whole")
    assert [step for _, step, _ in contexts["whole"].steps] == list(range(1, TINY.steps + 1))
    with pytest.raises(Broken):
        networks("broken", breaks_at_step=6)
    resumed = networks("broken")
    assert all(torch.equal(a, b) for a, b in zip(whole.values(), resumed.values(), strict=True))


def test_scores_measure_what_they_say() -> None:
    """A flat square and the same 0.1 above it: every nearest distance is 0.1."""
    line = torch.linspace(-0.5, 0.5, 4, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="ij")
    net = torch.stack([x, y, 0 * x], -1).unsqueeze(0)
    cloud = points_of(net, 40).flatten(1, 2) + torch.tensor([0.0, 0.0, 0.1])
    scores = Scores.of(net, cloud)
    assert scores.squared == pytest.approx([100 * 2 * 0.01])
    assert scores.unsquared == pytest.approx([100 * 2 * 0.1])


def test_the_users_file_is_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    patches = random_patches(6, torch.Generator().manual_seed(0), size=DEGREE + 1, points=60)
    with h5py.File(tmp_path / "open_splines.h5", "w") as file:
        file["points"], file["controlpoints"] = patches.clouds.numpy(), patches.control_points.numpy()
    context = RecordingContext(tmp_path / "run")
    context.data = tmp_path
    # six patches all belong to the training split
    with pytest.raises(ValueError, match=r"open_splines.h5: holds 6 patches; none belongs to the split"):
        Data(TINY, context)
    data = Data(TINY, RecordingContext(tmp_path / "other"))
    data.stored["train"] = patches
    drawn = data.training(5, torch.Generator().manual_seed(0))
    assert isinstance(drawn, Patches)
    assert drawn.clouds.shape == (5, 48, 3)


def test_presets_differ_in_effort_alone() -> None:
    presets = EXPERIMENT.presets
    assert presets["paper"].widths == (64, 64, 128, 256)
    assert presets["paper"].batch_size == 36
    assert presets["smoke"].steps < presets["quick"].steps < presets["paper"].steps
    kept = {"learning_rate", "smoothing", "neighbours"}
    assert len({tuple(getattr(s, name) for name in kept) for s in presets.values()}) == 1
    assert replace(presets["smoke"], steps=1) != presets["smoke"]
