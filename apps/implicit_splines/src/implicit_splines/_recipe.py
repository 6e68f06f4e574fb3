"""What every experiment may set of a network and its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from implicit_seg.training import TrainingSettings


@dataclass(frozen=True)
class Recipe:
    """A network's size, its loss and how it is trained; the defaults are those of the tables' `quick`."""

    depth: int = 3
    """down-scalings of the networks"""
    bottleneck: int = 4
    """resolution at the bottleneck; the splines have bottleneck * 2**depth coefficients in each direction"""
    filters: int = 8
    """filters of the first block (the paper: 64)"""
    epsilon: float = 0.5
    """width of the soft mask in the losses (the paper: 1e-4)"""
    epochs: int = 50
    """passes over the images"""
    batch_size: int = 4
    """images of one step (the paper: 10)"""
    optimizer: Literal["sgd", "adam"] = "adam"
    """"sgd" has Nesterov momentum 0.9, as the paper's"""
    learning_rate: float = 5e-3
    """at the start"""
    schedule: Literal["constant", "cosine"] = "cosine"
    """how the learning rate goes on"""

    def training(self, seed: int, *, augment: bool) -> TrainingSettings:
        """The training with these numbers."""
        return TrainingSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            augment=augment,
            seed=seed,
        )
