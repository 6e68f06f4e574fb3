"""What a training run leaves behind, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """Named figures of every finished epoch, those from before an interruption included.

    Attributes:
        epochs: for each epoch its mean `loss`, and whatever `evaluate` returned.

    >>> History(({"loss": 0.5}, {"loss": 0.25}))["loss"]
    [0.5, 0.25]
    """

    epochs: tuple[dict[str, float], ...]

    def __len__(self) -> int:
        return len(self.epochs)

    def best_epoch(self, name: str) -> int:
        """Returns the number, from 1, of the epoch where a figure was lowest.

        Raises:
            KeyError: no such figure was recorded.
        """
        values = self[name]
        return values.index(min(values)) + 1

    def __getitem__(self, name: str) -> list[float]:
        """Returns one figure over the epochs.

        Raises:
            KeyError: no such figure was recorded.
        """
        return [epoch[name] for epoch in self.epochs]
