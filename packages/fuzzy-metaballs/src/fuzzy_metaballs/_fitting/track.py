"""The poses of a video of a known shape, each from the ones before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._fitting.pose import PoseFit, estimate_pose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._fitting.stopping import StoppingRule
    from fuzzy_metaballs._render import BlendName
    from fuzzy_metaballs._rules import Intersection
    from fuzzy_metaballs._shape import FuzzyMetaballs


def track_poses(
    shape: FuzzyMetaballs,
    camera: Camera,
    masks: Sequence[ArrayLike],
    *,
    start: ArrayLike,
    depths: Sequence[ArrayLike] | None = None,
    depth_weight: float = 1.0,
    intersection: Intersection = "linear",
    blend: BlendName = "two_parameter",
    outliers: float = 0.0,
    learning_rate: float = 0.05,
    max_steps: int = 500,
    stopping: StoppingRule | None = None,
    callback: Callable[[int, int, float], None] | None = None,
) -> list[PoseFit]:
    r"""Follows a camera through the masks of a video of a known shape.

    Each frame starts where the last two point to, $P_{k+1} = P_k P_{k-1}^{-1} P_k$: the same motion again.

    Args:
        shape: the object.
        camera: of all frames, H x W.
        masks: (F, H, W) or a sequence of (H, W), as in `estimate_pose`; no frame may be empty.
        start: (4, 4), camera to world, for the first frame, or (S, 4, 4) for several starts there.
        depths: one for each mask, as in `estimate_pose`.
        depth_weight: see `estimate_pose`, as for the rest.
        intersection: see `estimate_pose`.
        blend: see `estimate_pose`.
        outliers: see `estimate_pose`.
        learning_rate: see `estimate_pose`.
        max_steps: of each frame.
        stopping: see `estimate_pose`.
        callback: called after each frame as `callback(frame, frames, loss)`, frame from 1.

    Raises:
        ValueError: as `estimate_pose`, with the frame named; there are as many depths as masks.
    """
    if depths is not None and len(depths) != len(masks):
        raise ValueError(f"`depths` must be as many as `masks`, {len(masks)}; got {len(depths)}.")
    found: list[PoseFit] = []
    for frame, mask in enumerate(masks):
        try:
            fit = estimate_pose(
                shape,
                camera,
                mask,
                start=start if frame == 0 else _next([fit.pose for fit in found[-2:]]),
                depth=None if depths is None else depths[frame],
                depth_weight=depth_weight,
                intersection=intersection,
                blend=blend,
                outliers=outliers,
                learning_rate=learning_rate,
                max_steps=max_steps,
                stopping=stopping,
            )
        except ValueError as error:
            raise ValueError(f"frame {frame}: {error}") from error
        found.append(fit)
        if callback is not None:
            callback(frame + 1, len(masks), fit.loss)
    return found


def _next(poses: Sequence[ArrayLike]) -> ArrayLike:
    """The last motion once more; where there was none, the last pose."""
    before, last = np.asarray(poses[0], np.float64), np.asarray(poses[-1], np.float64)
    pose = last @ np.linalg.inv(before) @ last
    # The nearest rotation: three poses in single precision leave a little shear.
    u, _, v = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = u @ v
    return jnp.asarray(pose, jnp.asarray(poses[-1]).dtype)
