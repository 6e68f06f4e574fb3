"""How well Gaussians show a model: error of silhouette and of depth over many views."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import render
from metaballs._score import cross_entropy

if TYPE_CHECKING:
    from jaxtyping import Array

    from fuzzy_metaballs import Camera, FuzzyMetaballs
    from metaballs.rasterise import Raster


class Fidelity(NamedTuple):
    """Means over views.

    Attributes:
        mask: cross-entropy of alpha and the true masks, over all pixels.
        depth: absolute error of depth where the model is seen and alpha exceeds 1/2, in the unit of depth.
        broken: pixels of which depth or alpha is not finite.
    """

    mask: float
    depth: float
    broken: int


def fidelity(
    shape: FuzzyMetaballs, camera: Camera, poses: np.ndarray, truth: list[Raster], **options: Any
) -> Fidelity:
    """Compares what `render(..., **options)` draws with what the rasteriser saw."""
    alpha, depth = (np.asarray(x, np.float64) for x in _views(shape, camera, jnp.asarray(poses), **options))
    masks, true = (np.array([getattr(view, name) for view in truth]) for name in ("mask", "depth"))
    seen = masks & (alpha > 0.5)
    if not seen.any():
        raise ValueError(f"no pixel of {shape!r} lies on the model; it was fitted to another one.")
    return Fidelity(
        mask=cross_entropy(masks, alpha),
        depth=float(np.abs(depth[seen] - true[seen]).mean()),
        broken=int((~np.isfinite(alpha) | ~np.isfinite(depth)).sum()),
    )


@partial(jax.jit, static_argnames=("intersection", "blend"))
def _views(
    shape: FuzzyMetaballs, camera: Camera, poses: Array, *, intersection: Any = "linear", blend: Any = "paper"
) -> tuple[Array, Array]:
    def one(pose: Array) -> tuple[Array, Array]:
        image = render(shape, camera, pose, intersection=intersection, blend=blend)
        return image.alpha, image.depth

    return jax.lax.map(one, poses)
