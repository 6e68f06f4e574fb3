"""Training in two processes that `accelerate launch` starts and gloo joins."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from nurbs_diff.splinenet._train import _generator, _loss
from piecewise_testing import launch_two

SCRIPT = Path(__file__).with_name("splinenet_in_processes.py")


@pytest.mark.slow
def test_two_processes_equal_one_that_averages_the_gradients_of_their_batches(tmp_path: Path) -> None:
    launch_two(SCRIPT, tmp_path)
    (count, state, history), (_, other, other_history) = (
        torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)
    )
    assert count == 2
    assert all(torch.equal(state[name], other[name]) for name in state)  # running statistics included
    assert history == other_history

    script = runpy.run_path(str(SCRIPT))
    settings, model = script["SETTINGS"], script["tiny"]()
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=settings.patience, min_lr=settings.least_rate
    )
    steps, losses, held_out = history
    assert steps == (2, 4, 6)
    for look, step in enumerate(steps):
        total = 0.0
        for each in (step - 1, step):
            model.train()
            optimizer.zero_grad()
            for rank in (0, 1):
                batch = script["patches"](settings.batch_size, _generator(settings.seed, each, rank))
                loss = _loss(model, batch, settings)
                (loss / 2).backward()
                total += float(loss.detach())
            optimizer.step()
        assert losses[look] == pytest.approx(total / 4, rel=1e-7)
        scheduler.step(held_out[look])  # that of the first process: it depends on its running statistics
    assert optimizer.param_groups[0]["lr"] < settings.learning_rate  # halved by both, or their weights differ
    for name, parameter in model.named_parameters():
        # Where a gradient is zero but for rounding (a bias before a batch norm), Adam divides 1e-16 by its
        # 1e-8 and steps by 0.02 of that; in float32 it would step by all of 0.02.
        torch.testing.assert_close(state[name], parameter.detach(), rtol=0, atol=1e-7)
