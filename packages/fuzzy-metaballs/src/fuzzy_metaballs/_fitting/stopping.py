"""When to lower the learning rate and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Array, Float, Int


@dataclass(frozen=True)
class StoppingRule:
    r"""Go on "until the loss stops reliably decreasing", judged by a line through a window of losses.

    With the line's slope b and its standard error e, the probability that the true slope lies below $s_0$ is
    $\Phi((s_0 - b) / e)$. When it has been under `probability` for `patience` steps in a row, the learning
    rate falls by `factor` and the window starts anew; after `drops` such falls the fit ends.

    Attributes:
        window: losses the line goes through, at least 3.
        slope: $s_0$, change of the loss a step that still counts as decreasing; negative.
        probability: in (0, 1).
        patience: steps in a row, at least 1.
        factor: what the learning rate is multiplied by, in (0, 1).
        drops: after so many the fit ends, at least 1.

    Raises:
        ValueError: a value lies outside its range.
    """

    window: int = 50
    slope: float = -1e-4
    probability: float = 0.1
    patience: int = 10
    factor: float = 0.1
    drops: int = 4

    def __post_init__(self) -> None:
        for name, good, wanted in (
            ("window", self.window >= 3, "at least 3"),
            ("slope", self.slope < 0, "negative"),
            ("probability", 0 < self.probability < 1, "in (0, 1)"),
            ("patience", self.patience >= 1, "at least 1"),
            ("factor", 0 < self.factor < 1, "in (0, 1)"),
            ("drops", self.drops >= 1, "at least 1"),
        ):
            if not good:
                raise ValueError(f"`{name}` must be {wanted}; got {getattr(self, name)}.")

    def decreasing(self, losses: Sequence[float] | np.ndarray) -> float:
        """The probability that the loss falls faster than `slope`; 1 with fewer than `window` losses."""
        if len(losses) < self.window:
            return 1.0
        y = np.asarray(losses[-self.window :], np.float64)
        x = np.arange(self.window) - (self.window - 1) / 2
        squares = (x**2).sum()
        slope = x @ y / squares
        residual = y - y.mean() - slope * x
        error = math.sqrt((residual @ residual) / (self.window - 2) / squares)
        if error == 0:
            return float(slope < self.slope)
        return 0.5 * math.erfc((slope - self.slope) / error / math.sqrt(2))


class Course(NamedTuple):
    """How far a fit has come by the rule: what `StoppingRule` says of it, on the device."""

    losses: Float[Array, " window"]  # the newest last
    since: Int[Array, ""]  # steps since the learning rate fell
    calm: Int[Array, ""]  # steps in a row in which the loss did not reliably decrease
    drops: Int[Array, ""]

    @classmethod
    def begin(cls, rule: StoppingRule) -> Course:
        """Before the first step."""
        return cls(jnp.zeros(rule.window), *(jnp.zeros((), jnp.int32) for _ in range(3)))

    def after(self, loss: Float[Array, ""], rule: StoppingRule) -> Course:
        """After a step that started with this loss."""
        losses = jnp.append(self.losses[1:], loss.astype(self.losses.dtype))
        since = self.since + 1
        calm = jnp.where(
            (since >= rule.window) & (_probability(losses, rule.slope) < rule.probability), self.calm + 1, 0
        )
        drop = calm >= rule.patience
        return Course(
            losses, jnp.where(drop, 0, since), jnp.where(drop, 0, calm), self.drops + drop.astype(jnp.int32)
        )


def _probability(losses: Float[Array, " window"], slope: float) -> Float[Array, ""]:
    """`StoppingRule.decreasing` of a full window."""
    x = jnp.arange(len(losses)) - (len(losses) - 1) / 2
    squares = (x**2).sum()
    y = losses - losses.mean()
    fitted = x @ y / squares
    residual = y - fitted * x
    error = jnp.sqrt((residual @ residual) / (len(losses) - 2) / squares)
    excess = (fitted - slope) / jnp.where(error > 0, error, 1.0)
    smooth = jax.scipy.special.erfc(excess / jnp.sqrt(2)) / 2
    return jnp.where(error > 0, smooth, (fitted < slope).astype(losses.dtype))
