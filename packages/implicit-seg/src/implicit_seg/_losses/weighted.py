"""A weighted sum of losses as one loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Bool, Float
    from torch import Tensor

    from implicit_seg._losses.schedules import Schedule


@dataclass(frozen=True)
class LossTerm:
    """One term of a `WeightedLoss`.

    Args:
        loss: of the values and the mask, such as `DiceLoss()`; a prior is one of the phase alone, such as
            `PhaseFieldLoss(4.0)`.
        weight: a number, or a function of the number of the step, such as `LinearSchedule`.
        prior: whether the loss is one of the phase.
    """

    loss: Callable[..., Tensor]
    weight: float | Schedule = 1.0
    prior: bool = False

    def weight_at(self, step: int) -> float:
        """Returns the weight of a step; raises `ValueError` where it is negative or not finite."""
        weight = self.weight(step) if callable(self.weight) else self.weight
        if not 0 <= weight < math.inf:
            raise ValueError(f"a weight must be finite and not negative; got {weight} at step {step}.")
        return weight


class WeightedLoss(nn.Module):
    r"""A weighted sum: $\sum_k w_k L_k(Z, Y)$ over data terms plus $\sum_k w_k E_k(\phi(Z))$ over priors.

    Args:
        terms: the terms by name. One whose weight is zero is not computed.
        phase: turns values into a phase, 0 outside and 1 inside, for the priors: the logistic function by
            default, or `soft_mask`.

    Attributes:
        step: number of the step that the weights belong to, 0 at first. The loop that trains sets it;
            `implicit_seg.training.train` does.
        parts: each term of the last call before its weight, detached, for a log.

    Raises:
        ValueError: `terms` is empty, or a weight is negative or not finite.

    >>> import torch
    >>> from implicit_seg import DiceLoss, LinearSchedule, PhaseFieldLoss
    >>> loss = WeightedLoss({
    ...     "dice": LossTerm(DiceLoss(0.1)),
    ...     "interface": LossTerm(PhaseFieldLoss(4.0), LinearSchedule(0.0, 0.1, steps=100), prior=True),
    ... })
    >>> loss.step = 50
    >>> loss.weights()
    {'dice': 1.0, 'interface': 0.05}
    >>> values = torch.zeros(1, 1, 8, 8)
    >>> float(loss(values, values)) == float(loss.parts["dice"] + 0.05 * loss.parts["interface"])
    True
    """

    def __init__(
        self, terms: Mapping[str, LossTerm], phase: Callable[[Tensor], Tensor] = torch.sigmoid
    ) -> None:
        super().__init__()
        if not terms:
            raise ValueError("`terms` is empty; give at least one `LossTerm`.")
        self.terms, self.phase = dict(terms), phase
        self.step = 0
        self.parts: dict[str, Tensor] = {}
        # so that they move with this module and are printed with it
        self.losses = nn.ModuleDict(
            {name: term.loss for name, term in self.terms.items() if isinstance(term.loss, nn.Module)}
        )
        self.weights()  # a bad weight is named here, not in the first step

    def weights(self) -> dict[str, float]:
        """Returns the weight of each term at `step`."""
        return {name: term.weight_at(self.step) for name, term in self.terms.items()}

    def forward(
        self,
        values: Float[Tensor, "batch channels *size"],
        mask: Float[Tensor, "batch channels *size"] | Bool[Tensor, "batch channels *size"],
    ) -> Float[Tensor, ""]:
        """Returns the sum, and keeps the terms in `parts`."""
        phase = self.phase(values) if any(term.prior for term in self.terms.values()) else None
        total, self.parts = values.new_zeros(()), {}
        for name, weight in self.weights().items():
            if weight:
                term = self.terms[name]
                part = term.loss(phase) if term.prior else term.loss(values, mask)
                self.parts[name] = part.detach()
                total = total + weight * part
        return total

    def extra_repr(self) -> str:
        """Names the weights and the phase, so that runs with others are told apart."""
        weights = ", ".join(f"{name}: {term.weight}" for name, term in self.terms.items())
        return f"weights=({weights}), phase={getattr(self.phase, '__name__', self.phase)}"
