"""The protocol that all tables share: data, training, prediction."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from implicit_seg import AccuracyLoss, DiceLoss, JaccardLoss, MaskMAELoss, MaskMSELoss
from implicit_seg.training import train
from implicit_splines import _chd68, _coins
from implicit_splines._networks import Network, values_at
from implicit_splines._recipe import Recipe
from implicit_splines._volumes import Tissue  # noqa: TC001  (a field of `Protocol`, which is read at run time)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Bool, Float
    from torch import Tensor, nn

    from implicit_splines._volumes import Volume, Volumes
    from repro.context import Context

LossName = Literal["MMSE", "MMAE", "accuracy", "Dice", "Jaccard"]


@dataclass(frozen=True)
class Protocol(Recipe):
    """Settings that all tables share; the defaults are those of `quick`."""

    tissue: Tissue = "blood volume"
    """of CHD68; the photograph has coins"""
    size: int = 96
    """side of the square images that the networks see, in pixels; scores are taken at the data's own size"""
    augment: bool = True
    """turns and mirrors every slice at random, which the paper does not"""
    smallest: float = 0.001
    """share of a slice: smaller components are removed where the scores say so (whole volumes: all but the
    largest in space)"""

    @property
    def network(self) -> Network:
        """UNetImplicit of degree 1 with these numbers."""
        return Network("UNetImplicit", 1, self.depth, self.bottleneck, self.filters)


PUBLISHED: dict[str, Any] = {
    "size": 512,
    "depth": 4,
    "bottleneck": 8,
    "filters": 64,
    "epsilon": 1e-4,
    "epochs": 100,
    "batch_size": 10,
    "optimizer": "sgd",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "augment": False,
}
"""The paper's, sections 3.4 and 4.2."""
SMOKE: dict[str, Any] = {"size": 24, "depth": 2, "bottleneck": 4, "filters": 4, "epochs": 1, "batch_size": 10}
"""Goes through every step within seconds and learns next to nothing; `coins` guards what is learned."""


class Bench:
    """Trains networks on the data at hand and predicts with them; whatever is trained is kept.

    Args:
        settings: of the experiment.
        context: of the run.

    Attributes:
        volumes: the data, split by volume.
    """

    def __init__(self, settings: Protocol, context: Context) -> None:
        self.settings, self.context = settings, context
        self.volumes: Volumes = (
            _coins.load() if context.data is None else _chd68.load(context.data, settings.tissue)
        )
        context.log(str(self.volumes))
        self._mean, self._deviation = _moments(self.volumes.train)
        items = _Slices(self.volumes.train, self._standard, settings.size)
        self.items = items if self.volumes.is_complete else [items[k] for k in range(len(items))]

    def train(
        self,
        label: str,
        network: Network,
        loss: nn.Module,
        seed: int,
        *,
        items: Sequence[tuple[Tensor, Tensor]] | None = None,
        prepare: Callable[[nn.Module], nn.Module] = lambda model: model,
    ) -> nn.Module:
        """Trains a network, or reads what was trained.

        Args:
            label: for the log; also names the checkpoint.
            network: which.
            loss: to train with.
            seed: of weights, order and augmentation.
            items: to train on; None: the slices with their masks.
            prepare: what of the network is trained: all of it, or a part whose values `loss` takes.

        Returns:
            The network in evaluation mode.
        """
        settings = self.settings
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # equal weights where two networks differ in their last layer only
            model = network.build(settings.size)
        model.to(self.context.device).to(memory_format=torch.channels_last)
        name = re.sub(r"\W+", "_", label)
        started = time.perf_counter()

        def log(line: str) -> None:
            if line.startswith("resumed"):
                self.context.log(f"{label}: {line}")

        history = train(
            prepare(model),
            self.items if items is None else items,
            loss,
            settings.training(seed, augment=settings.augment),
            checkpoint=self.context.folder / f"checkpoint_{name}_{seed}",
            callback=self.context.progress(label),
            log=log,
        )
        seconds = time.perf_counter() - started
        self.context.log(
            f"{label}: loss {history['loss'][-1]:.4f} after {len(history)} epochs, {seconds:.0f} s"
        )
        return model

    def values(
        self, model: nn.Module, volume: Volume, size: tuple[int, int] | None = None
    ) -> Float[np.ndarray, "slices height width"]:
        """Values of a network on every slice, positive inside.

        Args:
            model: trained.
            volume: whose slices it sees, at the size it was trained with.
            size: of the result; None: of the data's slices, however small the images that the network sees.
        """
        size = volume.images.shape[1:] if size is None else size
        with torch.no_grad():
            return np.concatenate(
                [
                    values_at(model, self.images(volume, slice(k, k + 8)), size)[:, 0].float().cpu().numpy()
                    for k in range(0, len(volume), 8)
                ]
            )

    def masks(
        self, model: nn.Module, volumes: Sequence[Volume]
    ) -> list[Bool[np.ndarray, "slices height width"]]:
        """Predicted masks at the data's own size."""
        return [self.values(model, volume) > 0 for volume in volumes]

    def images(self, volume: Volume, which: slice = slice(None)) -> Float[Tensor, "slices 1 size size"]:
        """Slices as the networks see them."""
        images = resample(self._standard(volume.images[which]), self.settings.size)
        return images.to(self.context.device, memory_format=torch.channels_last)

    def _standard(self, images: np.ndarray) -> Tensor:
        return (torch.from_numpy(images).float()[:, None] - self._mean) / self._deviation


class _Slices(Dataset):
    """The slices of volumes, each with its mask."""

    def __init__(
        self, volumes: Sequence[Volume], standard: Callable[[np.ndarray], Tensor], size: int
    ) -> None:
        self.places = [(volume, k) for volume in volumes for k in range(len(volume))]
        self.standard, self.size = standard, size

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        volume, k = self.places[index]
        mask = torch.from_numpy(volume.masks[k : k + 1]).float()[:, None]
        image = resample(self.standard(volume.images[k : k + 1]), self.size)
        return image[0], (resample(mask, self.size) > 0.5).float()[0]


def make_loss(name: LossName, epsilon: float) -> nn.Module:
    """The loss of that name."""
    plain = {"MMSE": MaskMSELoss, "MMAE": MaskMAELoss}
    soft = {"accuracy": AccuracyLoss, "Dice": DiceLoss, "Jaccard": JaccardLoss}
    return plain[name]() if name in plain else soft[name](epsilon)


def resample(images: Float[Tensor, "batch 1 h w"], size: int) -> Float[Tensor, "batch 1 size size"]:
    """Square images whose samples lie where a spline's do, from end to end; each is a mean about its place.

    The mean has weights that fall linearly to zero at the places of the next samples. (`interpolate` with
    `antialias` and `align_corners` shifts an image by half the ratio of both sizes.)
    """
    if images.shape[2:] == (size, size):
        return images
    rows, columns = (_tents(length, size).to(images) for length in images.shape[2:])
    return rows @ images @ columns.T


def _tents(length: int, size: int) -> Float[Tensor, "size length"]:
    step = (length - 1) / (size - 1)
    away = torch.arange(length) - step * torch.arange(size)[:, None]
    weights = (1 - away.abs() / max(step, 1.0)).clamp_min(0)
    return weights / weights.sum(1, keepdim=True)


def _moments(volumes: Sequence[Volume]) -> tuple[float, float]:
    """Mean and deviation of grey values, from their histogram."""
    counts = sum(np.bincount(volume.images.ravel(), minlength=256) for volume in volumes)
    values, total = np.arange(256), np.sum(counts)
    mean = float(values @ counts / total)
    return mean, max(float((values - mean) ** 2 @ counts / total) ** 0.5, 1e-6)
