"""A network for segmentation whose last layer makes its output constant on connected components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from kspline_core.torch import PiecewiseConstant2d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

Jacobian = Literal["weak", "identity"]
Space = Literal["probability", "logit"]

_SURE = 1e-6
"""Probabilities are kept this far from 0 and 1, where they have no finite logit."""


class ComponentNetwork(nn.Module):
    r"""A network followed by the piecewise constant layer; its output is a logit, as the network's own.

    $$h = \lambda P v + (1 - \lambda) v$$

    with $v$ the network's probability (or logit), $P$ the mean over each region of the level partition of the
    probability, and $\lambda$ the mixing. In the space of logits, to average the logit is to average every
    feature in front of a last 1 x 1 convolution: both are linear, and one acts on pixels, the other on
    channels.

    Args:
        network: from images to logits, (batch, 1, height, width).
        levels: of the probability, inside (0, 1), that cut the image into regions.
        min_size: regions of fewer pixels join their largest neighbour.
        mixing: $\lambda$; 0 leaves the network as it is, and labels nothing.
        ramp: training steps over which the mixing rises from 0 in equal parts; 0 starts with all of it.
        space: what is averaged.
        jacobian: "weak": the block-diagonal projector of Theorem 1. "identity": the same forward, and a
            derivative as if the layer were not there (straight through).
        connectivity: of the regions.

    Raises:
        ValueError: a level is not inside (0, 1), or as by `PiecewiseConstant2d`.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        levels: Sequence[float],
        min_size: int,
        mixing: float,
        ramp: int = 0,
        space: Space = "probability",
        jacobian: Jacobian = "weak",
        connectivity: Literal[4, 8] = 4,
    ) -> None:
        super().__init__()
        for level in levels:
            if not 0 < level < 1:
                raise ValueError(f"`levels` must be probabilities between 0 and 1; got {level}.")
        if space == "logit":
            levels = torch.tensor(levels, dtype=torch.float64).logit().tolist()
        self.network = network
        self.layer = PiecewiseConstant2d(levels, connectivity=connectivity, min_size=min_size, threads=1)
        self.mixing, self.ramp, self.space, self.jacobian = mixing, ramp, space, jacobian
        # a buffer, so that a resumed training goes on where the ramp was
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 h w"]:
        """Returns logits, positive inside."""
        logits = self.network(image)
        self.layer.mixing = self.mixing
        if self.training and self.ramp:
            self.layer.mixing *= min(1.0, int(self.step) / self.ramp)
            self.step += 1
        if self.layer.mixing == 0:
            return logits
        values = self.values(logits)
        flat = self.layer(values)
        if self.jacobian == "identity":
            flat = values + (flat - values).detach()
        return flat.logit(_SURE) if self.space == "probability" else flat

    def values(self, logits: Tensor) -> Tensor:
        """Returns what the layer sees: probabilities or the logits themselves."""
        return logits.sigmoid() if self.space == "probability" else logits

    def extra_repr(self) -> str:
        """Shows the settings in `repr`, by which a checkpoint knows its network."""
        return f"mixing={self.mixing}, ramp={self.ramp}, space={self.space!r}, jacobian={self.jacobian!r}"
