"""The frame in which the network sees a cloud: centred, along its principal axes, in the unit box."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float

_FLATTEST = 1e-4  # no side of the box is taken shorter than this share of the longest


class Frame(NamedTuple):
    """Where the clouds of a batch lie.

    Attributes:
        centres: their means.
        axes: their principal axes as rows, shortest spread first, right-handed.
        extents: the sides of their boxes along those axes.

    >>> import torch
    >>> cloud = torch.rand(1, 30, 3, dtype=torch.float64)
    >>> unit, frame = normalise(cloud)
    >>> torch.allclose(frame.restore(unit), cloud)
    True
    """

    centres: Float[Tensor, "batch 3"]
    axes: Float[Tensor, "batch 3 3"]
    extents: Float[Tensor, "batch 3"]

    def scaled(self, unit: Float[Tensor, "batch *any 3"]) -> Float[Tensor, "batch *any 3"]:
        """From the unit box to the true proportions with longest side 1: what losses and scores measure."""
        ratios = self.extents / self.extents.amax(-1, keepdim=True)
        return unit * ratios.reshape(len(ratios), *[1] * (unit.ndim - 2), 3)

    def restore(self, unit: Float[Tensor, "batch *any 3"]) -> Float[Tensor, "batch *any 3"]:
        """From the unit box to where the clouds lay."""
        flat = unit.reshape(len(unit), -1, 3) * self.extents.unsqueeze(1)
        return (flat @ self.axes + self.centres.unsqueeze(1)).reshape(unit.shape)

    def apply(self, points: Float[Tensor, "batch *any 3"]) -> Float[Tensor, "batch *any 3"]:
        """The inverse of `restore`."""
        flat = points.reshape(len(points), -1, 3) - self.centres.unsqueeze(1)
        return (flat @ self.axes.mT / self.extents.unsqueeze(1)).reshape(points.shape)


def normalise(points: Float[Tensor, "batch m 3"]) -> tuple[Float[Tensor, "batch m 3"], Frame]:
    """Moves each cloud to its mean, turns it to its principal axes and scales it to sides of 1.

    The signs of the axes are those that make the third moments positive, so that a moved and turned copy of a
    cloud looks the same but for rounding (a symmetric one may not).

    Args:
        points: the clouds, each of at least 3 points.

    Returns:
        The clouds in the unit box, and the frames that lead back.

    Raises:
        ValueError: a cloud whose points all coincide.

    >>> import torch
    >>> unit, _ = normalise(torch.rand(4, 30, 3))
    >>> torch.allclose(unit.amax(1) - unit.amin(1), torch.ones(4, 3))
    True
    """
    centres = points.mean(1)
    centred = points - centres.unsqueeze(1)
    axes = torch.linalg.eigh(centred.mT @ centred).eigenvectors.mT
    moments = (centred @ axes.mT).pow(3).sum(1)
    axes = axes * torch.where(moments < 0, -1.0, 1.0).to(axes).unsqueeze(-1)
    handed = torch.ones_like(moments)
    handed[:, 0] = torch.linalg.det(axes).sign()
    axes = axes * handed.unsqueeze(-1)
    turned = centred @ axes.mT
    extents = turned.amax(1) - turned.amin(1)
    longest = extents.amax(-1, keepdim=True)
    if points.device.type == "cpu" and not bool((longest > 0).all()):
        raise ValueError(f"`points`: all points of cloud {int(longest.argmin())} coincide. Drop it.")
    extents = extents.maximum(_FLATTEST * longest)
    return turned / extents.unsqueeze(1), Frame(centres, axes, extents)
