"""One warm-up, then one training for each method from there, on one set of images."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from dsa._component_network import ComponentNetwork
from dsa._table2_scores import Scores, topology
from implicit_seg import UNet
from implicit_seg.training import TrainingSettings, train
from kspline_core.torch import regions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float, Int, Int32
    from torch import Tensor

    from dsa._component_network import Jacobian, Space
    from dsa._image_set import ImageSet, Part
    from implicit_seg.training import History
    from repro.context import Context

TRAINED = {"baseline": "U-Net", "weak": "U-Net + layer", "identity": "same forward, identity gradient"}
"""Methods that are trained, with their names for readers."""
WARM_UP = "warm-up"
METHODS = TRAINED | {"after": "U-Net, layer at test only"}


@dataclass(frozen=True)
class Layer:
    """Settings of the layer: see `ComponentNetwork`."""

    levels: tuple[float, ...]
    min_size: int
    mixing: float
    ramp: float
    space: Space


@dataclass(frozen=True)
class Protocol:
    """Settings of network and training."""

    depth: int
    filters: int
    warm_up: int
    epochs: int
    batch_size: int
    optimizer: Literal["sgd", "adam"]
    learning_rate: float
    score_on: Part


@dataclass(frozen=True)
class Outcome:
    """All methods on one set.

    Attributes:
        title: of the set.
        images: that were scored, as the loader gave them.
        truth: their masks.
        truth_topology: components and holes of those.
        scores: by method.
        partition: regions that the layer of `weak` sees on each scored image.
        histories: of the trainings, by name for readers.
    """

    title: str
    images: Float[np.ndarray, "n channels height width"]
    truth: Bool[np.ndarray, "n height width"]
    truth_topology: Int[np.ndarray, "n 2"]
    scores: Mapping[str, Scores]
    partition: Int32[np.ndarray, "n height width"]
    histories: Mapping[str, History]


def compare(name: str, data: ImageSet, layer: Layer, protocol: Protocol, context: Context) -> Outcome:
    """Trains and scores every method; a killed run goes on after the last finished epoch.

    The warm-up is the plain network's and common to all. What follows has for every method the same start,
    the same images in the same order, and the same steps: they differ in the layer alone.
    """
    seen, scored = data.split(protocol.score_on)
    context.log(
        f"{name}: {data.source}; {len(seen)} trained on, {len(scored)} scored ({protocol.score_on} part)"
    )
    mean = data.images[seen].mean((0, 2, 3), keepdims=True)
    deviation = data.images[seen].std((0, 2, 3), keepdims=True)
    images = torch.from_numpy((data.images - mean) / deviation)
    masks = torch.from_numpy(data.masks[:, None].astype(np.float32))
    items = [(images[i], masks[i]) for i in seen]
    unseen, truth = images[torch.from_numpy(scored)].to(context.device), data.masks[scored]

    with torch.random.fork_rng():
        torch.manual_seed(context.seed)
        network = UNet(protocol.depth, protocol.filters, in_channels=images.shape[1])
    network = network.to(context.device).to(memory_format=torch.channels_last)
    histories: dict[str, History] = {}

    def fit(model: nn.Module, key: str, label: str, epochs: int, *, is_warm_up: bool) -> nn.Module:
        if epochs:
            histories[label] = train(
                model,
                items,
                nn.BCEWithLogitsLoss(),
                TrainingSettings(
                    epochs=epochs,
                    batch_size=protocol.batch_size,
                    optimizer=protocol.optimizer,
                    learning_rate=protocol.learning_rate,
                    schedule="constant" if is_warm_up else "cosine",
                    augment=True,
                    seed=2 * context.seed + (not is_warm_up),
                ),
                checkpoint=context.folder / f"checkpoint_{name}_{key}",
                callback=context.progress(f"{name}: {label}"),
                log=lambda line: context.log(f"{name}, {label}: {line}"),
            )
        return model.eval()

    fit(network, "warm_up", WARM_UP, protocol.warm_up, is_warm_up=True)
    ramp = round(layer.ramp * protocol.epochs * -(-len(items) // protocol.batch_size))

    def with_layer(network: nn.Module, mixing: float, jacobian: Jacobian = "weak") -> ComponentNetwork:
        return ComponentNetwork(
            network,
            levels=layer.levels,
            min_size=layer.min_size,
            mixing=mixing,
            ramp=ramp,
            space=layer.space,
            jacobian=jacobian,
        ).to(context.device)

    models: dict[str, nn.Module] = {}
    for key, label in TRAINED.items():
        jacobian: Jacobian = "identity" if key == "identity" else "weak"
        model = with_layer(copy.deepcopy(network), 0.0 if key == "baseline" else layer.mixing, jacobian)
        models[key] = fit(model, key, label, protocol.epochs, is_warm_up=False)
    baseline, weak = models["baseline"], models["weak"]
    assert isinstance(baseline, ComponentNetwork)  # for the type checker
    assert isinstance(weak, ComponentNetwork)
    models["after"] = with_layer(baseline.network, layer.mixing).eval()
    scores = {key: Scores.of(logits(model, unseen)[:, 0].numpy() > 0, truth) for key, model in models.items()}
    rule = weak.layer
    partition = regions(
        weak.values(logits(weak.network, unseen)),
        rule.levels,
        connectivity=rule.connectivity,
        min_size=rule.min_size,
    )
    return Outcome(
        data.title, data.images[scored], truth, topology(truth), scores, partition[:, 0].numpy(), histories
    )


def logits(model: nn.Module, images: Tensor, at_once: int = 16) -> Tensor:
    """The network's output on all images, some at a time, on the CPU."""
    with torch.no_grad():
        return torch.cat([model(part).cpu() for part in images.split(at_once)])
