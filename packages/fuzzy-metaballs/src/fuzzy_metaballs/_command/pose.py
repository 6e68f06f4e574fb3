"""`fuzzy-metaballs pose`: a model and a mask in, where the camera stood out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from fuzzy_metaballs._camera import Camera
from fuzzy_metaballs._command import inputs, outputs
from fuzzy_metaballs._fitting.pose import estimate_pose
from fuzzy_metaballs._pose import nearby_poses
from fuzzy_metaballs.files import _atomic, read_model
from fuzzy_metaballs.files._arrays import read_npy

if TYPE_CHECKING:
    from fuzzy_metaballs._command.options import Pose


def find(command: Pose) -> None:
    """Checks everything first; writes when all is done."""
    outputs.check("--out", command.out, (".json",))
    outputs.check("--plot", command.plot, outputs.PICTURES)
    shape = read_model(command.model)
    mask = inputs.read_mask(command.mask)
    if mask.ndim != 2:
        raise ValueError(f"{command.mask}: a mask must have rows and columns alone; got {mask.shape}.")
    if command.depth is not None and not command.depth.exists():
        raise ValueError(f"--depth {command.depth}: there is no such file.")
    depth = None if command.depth is None else read_npy(command.depth)
    start = inputs.read_start(command.start, shape, Path(command.start))
    camera = Camera.from_fov(mask.shape[1], mask.shape[0], fov=math.radians(command.fov))
    starts = nearby_poses(
        start,
        command.starts,
        key=jax.random.key(command.seed),
        angle=math.radians(command.angle),
        center=shape.weights @ shape.means,
    )
    with outputs.Bar("pose", "loss") as bar:
        found = estimate_pose(
            shape,
            camera,
            mask,
            start=starts,
            depth=depth,
            intersection=command.intersection,
            blend=command.blend,
            outliers=command.outliers,
            callback=bar,
        )
    translation, rotation = found.deviations
    result = {
        "pose": np.asarray(found.pose, float).tolist(),
        "convention": "camera to world; x right, y down, z forward",
        "covariance": found.covariance.tolist(),
        "center": found.center.tolist(),
        "loss": found.loss,
        "stopped": found.stopped,
    }
    _atomic.write_bytes(command.out, (json.dumps(result, indent=1) + "\n").encode())
    if command.plot is not None:
        outputs.write_plot(command.plot, found.plot)
    outputs.say(
        repr(found),
        f"{command.out}: camera at {', '.join(f'{x:.4g}' for x in np.asarray(found.pose)[:3, 3])}; standard "
        f"deviations {translation:.2g} units and {math.degrees(rotation):.2g} degrees",
    )
