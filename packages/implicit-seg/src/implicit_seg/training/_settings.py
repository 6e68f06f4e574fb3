"""What a training run is made of, beside the model, the data and the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Plain values that fix every step of a run. The defaults are those of Barrowclough et al., 3.4 and 4.2.

    Attributes:
        epochs: passes over the data.
        batch_size: items of one step, over all processes together.
        optimizer: "sgd" with Nesterov momentum 0.9, or "adam".
        learning_rate: at the start.
        schedule: "constant", or "cosine": down to zero along half a cosine, over all steps.
        augment: turns and mirrors every item by a random symmetry of the square (of the rectangle, where it
            is none).
        seed: of the order of the data, the augmentation and random layers; the initial weights are the
            caller's.
        patience: epochs without a lower `monitor` after which the run ends; the model then has the weights of
            the best epoch. None: all epochs are done, and the last weights stay.
        monitor: what `patience` looks at: "loss", or a figure that `evaluate` returns.
        workers: processes that read the data ahead; 0 reads in the training process. Not part of a run's
            identity.

    Raises:
        ValueError: a value is out of range.
    """

    epochs: int = 100
    batch_size: int = 10
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    augment: bool = False
    seed: int = 0
    patience: int | None = None
    monitor: str = "loss"
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"`patience` must be at least 1, or None; got {self.patience}.")
        for name in ("seed", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative; got {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise ValueError(f"`learning_rate` must be positive; got {self.learning_rate}.")
        for name, known in (("optimizer", ("sgd", "adam")), ("schedule", ("constant", "cosine"))):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {known}; got {getattr(self, name)!r}.")


def make_optimizer(settings: TrainingSettings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Returns the optimiser that the settings name."""
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=settings.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.Adam(parameters, lr=settings.learning_rate)


def make_scheduler(
    settings: TrainingSettings, optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Returns the schedule that the settings name, over `steps` steps."""
    if settings.schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=steps)
    return ConstantLR(optimizer, factor=1.0)
