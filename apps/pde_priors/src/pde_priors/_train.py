"""One training, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from implicit_seg import UNet, dice
from implicit_seg.training import TrainingSettings, train
from pde_priors._variants import scores_of
from pde_priors.prior_loss import prior_loss

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from pde_priors._frames import Frame, Split
    from pde_priors._variants import Weights
    from pde_priors.livecell import Settings
    from repro.context import Context


def train_one(
    split: Split,
    tiles: list[tuple[Tensor, Tensor]],
    weights: Weights,
    seed: int,
    settings: Settings,
    context: Context,
    label: str,
    checkpoint: Path,
) -> dict[str, np.ndarray]:
    """Trains a U-Net and scores it.

    Args:
        split: whose validation and test frames are scored.
        tiles: all that is trained on; every network does the same number of steps, however few they are.
        weights: of the priors.
        seed: of the first weights, of the order and of the symmetries; the same for all losses, which are so
            compared in pairs.
        settings: the experiment's.
        context: the experiment's.
        label: for the log.
        checkpoint: file; gone when the training is done.

    Returns:
        `scores` (test frames, scores), `validation` (frames,) and the curves `loss` and `seen` (epochs,):
        the loss, and the mean Dice on the validation frames; `predicted` (height, width) is the mask of the
        first test frame.
    """
    per_epoch = settings.steps // settings.epochs * settings.batch_size
    items = (tiles * -(-per_epoch // len(tiles)))[:per_epoch]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = UNet(settings.depth, settings.filters).to(context.device)
    history = train(
        model,
        items,
        prior_loss(*weights, settings.epsilon),
        TrainingSettings(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            optimizer="adam",
            learning_rate=settings.learning_rate,
            schedule="cosine",
            augment=True,
            seed=seed,
        ),
        checkpoint=checkpoint,
        evaluate=lambda model: {"seen": float(np.mean(_dices(model, split.validation)))},
        callback=context.progress(label),
        log=lambda line: context.log(f"{label}: {line}"),
    )
    predictions = [predict(model, frame) for frame in split.test]
    return {
        "scores": np.array([scores_of(p, f.mask) for p, f in zip(predictions, split.test, strict=True)]),
        "validation": np.array(_dices(model, split.validation)),
        "loss": np.array(history["loss"]),
        "seen": np.array(history["seen"]),
        "predicted": predictions[0],
    }


def predict(model: nn.Module, frame: Frame) -> np.ndarray:
    """Returns the predicted mask of a whole frame."""
    device = next(model.parameters()).device
    with torch.no_grad():
        return (model(torch.from_numpy(frame.image)[None, None].to(device)) > 0)[0, 0].cpu().numpy()


def _dices(model: nn.Module, frames: list[Frame]) -> list[float]:
    return [dice(predict(model, frame), frame.mask) for frame in frames]
