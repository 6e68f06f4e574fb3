"""The network that the options describe, and its file."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from implicit_seg import TensorProductSplineHead, UNet, UNetImplicit, VGGImplicit1, VGGImplicit2
from implicit_seg.files import _atomic

if TYPE_CHECKING:
    from pathlib import Path

    from implicit_seg._command.options import Train

_FORMAT = "implicit-seg model 1"


def description(command: Train, channels: int, size: tuple[int, int]) -> dict[str, Any]:
    """Plain values that rebuild the model."""
    return {
        "network": command.network,
        "depth": command.depth,
        "bottleneck": command.bottleneck,
        "filters": command.filters,
        "degree": command.degree,
        "channels": channels,
        "size": list(size),
        "window": None if command.window is None else list(command.window),
    }


def build(spec: dict[str, Any]) -> nn.Sequential:
    """The network, which gives coefficients, and the head that evaluates their spline.

    Raises:
        ValueError: the size or the degree does not suit the network.
    """
    size, channels = tuple(spec["size"]), spec["channels"]
    if spec["degree"] not in (1, 2, 3):
        raise ValueError(f"--degree must be 1, 2 or 3; got {spec['degree']}.")
    if spec["network"] == "unet":
        return nn.Sequential(UNet(spec["depth"], spec["filters"], in_channels=channels), nn.Identity())
    if spec["network"] == "unet-implicit":
        network = UNetImplicit(spec["depth"], spec["bottleneck"], spec["filters"], in_channels=channels)
        grid = network.grid
    else:
        network = (VGGImplicit1 if spec["network"] == "vgg1" else VGGImplicit2)(in_channels=channels)
        grid = (size[0] // network.scale, size[1] // network.scale)
    return nn.Sequential(network, TensorProductSplineHead(grid, size, spec["degree"]))


def degree_of(spec: dict[str, Any]) -> int:
    """Of the spline: the values of a plain U-Net are the coefficients of one of degree 1."""
    return 1 if spec["network"] == "unet" else spec["degree"]


def save(path: Path, spec: dict[str, Any], model: nn.Module) -> None:
    """Writes a model whole or not at all; `torch.load(..., weights_only=True)` reads it."""
    stream = io.BytesIO()
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    torch.save({"format": _FORMAT, "spec": spec, "state": state}, stream)
    _atomic.write_bytes(path, stream.getvalue())


def load(run: Path) -> tuple[dict[str, Any], nn.Sequential]:
    """Reads a model from a run's folder or file, in evaluation mode.

    Raises:
        ValueError: there is none, or the file is damaged.
    """
    path = run / "model.pt" if run.is_dir() else run
    if not path.exists():
        unfinished = run.is_dir() and (run / "checkpoint").exists()
        raise ValueError(
            f"{path}: there is no such file. "
            + ("The run is not finished: give its line again." if unfinished else "Name a run of `train`.")
        )
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if stored["format"] != _FORMAT:
            raise ValueError(stored["format"])
        model = build(stored["spec"])
        model.load_state_dict(stored["state"])
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(f"{path}: is damaged, or no model of this package.") from error
    return stored["spec"], model.eval()


def device_of(name: str) -> torch.device:
    """The device that a word names.

    Raises:
        ValueError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {name}: {str(error).splitlines()[0]}") from error
    return torch.device(name)


def parameters(model: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(math.prod(p.shape) for p in model.parameters())
