"""Chooses the device an experiment runs on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from repro.errors import UserError

if TYPE_CHECKING:
    from repro.experiment import Experiment

Device = Literal["auto", "cpu", "cuda"]


def choose(asked: Device, experiment: Experiment[Any]) -> str:
    """Returns "cpu" or "cuda".

    `auto` is cuda where each framework among the experiment's packages (torch where it names none) sees one.

    Raises:
        UserError: `cuda` was asked for and a framework sees none.
    """
    if asked == "cpu":
        return "cpu"
    frameworks = [name for name in ("torch", "jax") if name in experiment.packages] or ["torch"]
    blind = [name for name in frameworks if not sees_cuda(name)]
    if blind and asked == "cuda":
        raise UserError(
            f"--device cuda: {' and '.join(blind)} sees no CUDA device here. Use --device cpu or auto."
        )
    return "cpu" if blind else "cuda"


def sees_cuda(framework: str) -> bool:
    """Says whether a framework, "torch" or "jax", is installed and sees a CUDA device."""
    try:
        module = importlib.import_module(framework)
    except ImportError:
        return False
    if framework == "torch":
        return module.cuda.is_available()
    return module.default_backend() == "gpu"
