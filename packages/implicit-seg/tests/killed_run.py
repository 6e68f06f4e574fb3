"""A small training run that can kill itself."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import torch
from torch import nn


def run(
    checkpoint: Path, *, die_at_step: int = 0, die_before_renaming: int = 0
) -> tuple[nn.Module, list[str], list[float]]:
    """Trains four epochs of three steps; dies at a step, or before the n-th checkpoint is in its place."""
    from implicit_seg import DiceLoss, ReactionDiffusionLoss, UNet, bistable
    from implicit_seg.training import TrainingSettings, train

    class Loss(nn.Module):
        """Its print-out holds an address in memory, which another process does not have."""

        def __init__(self) -> None:
            super().__init__()
            self.dice, self.prior = DiceLoss(0.1), ReactionDiffusionLoss(partial(bistable, rate=4.0))

        def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.dice(values, mask) + 0.01 * self.prior(values.sigmoid())

    generator = torch.Generator().manual_seed(1)
    images = torch.rand(6, 1, 12, 12, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = nn.Sequential(nn.Dropout(0.2), UNet(1, 4))  # the dropout must be resumed, too
    renamings, original = 0, Path.replace

    def replace(self: Path, target: Path) -> Path:
        nonlocal renamings
        renamings += 1
        if renamings == die_before_renaming:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, target)

    def callback(step: int, total: int, loss: float) -> None:
        assert total == 12
        if step == die_at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = TrainingSettings(
        epochs=4, batch_size=2, optimizer="adam", schedule="cosine", augment=True, seed=3
    )
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    Path.replace = replace
    try:
        items = [(image, (image > 0.5).float()) for image in images]
        history = train(model, items, Loss(), settings, checkpoint=checkpoint, callback=callback, log=log)
    finally:
        Path.replace = original
    return model, lines, history["loss"]
