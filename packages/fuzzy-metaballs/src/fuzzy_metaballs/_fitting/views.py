"""What fits to many views share: the checks, the rays of all images, and the optimiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fuzzy_metaballs._check import as_floats

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike


def require_optax() -> None:
    """Raises an ImportError that names the extra unless optax is there."""
    try:
        import optax  # noqa: F401 (only whether it is there)
    except ImportError as error:
        raise ImportError('Fits to images need optax: pip install "fuzzy-metaballs[fit]"') from error


def adam() -> Any:
    """The scaling of gradients by Adam, without a rate."""
    import optax

    return optax.scale_by_adam()


def checked_views(
    masks: ArrayLike, camera: Camera, poses: ArrayLike
) -> tuple[np.ndarray, Float[Array, "v 4 4"]]:
    """Masks as floats and their poses, once they have been checked."""
    values = np.asarray(masks)
    if values.dtype == bool:
        values = values.astype(np.float32)
    poses = as_floats("poses", poses, (None, 4, 4))
    wanted = (poses.shape[0], camera.height, camera.width)
    if values.shape != wanted:
        raise ValueError(
            f"`masks` must have shape {wanted} (poses, camera's height and width); got {values.shape}."
        )
    if len(values) < 2:
        raise ValueError(f"`masks` must hold at least 2 views, for one shows no depth; got {len(values)}.")
    if not ((values >= 0) & (values <= 1)).all():
        view, row, column = np.argwhere(~((values >= 0) & (values <= 1)))[0]
        raise ValueError(
            f"`masks` must lie in [0, 1]; masks[{view}, {row}, {column}] = {values[view, row, column]:g}. "
            "Divide 8-bit images by 255."
        )
    area = values.mean((1, 2))
    for view in np.flatnonzero((area == 0) | (area == 1)):
        raise ValueError(
            f"`masks` must show the object and its surroundings; masks[{view}] is "
            f"{'full' if area[view] else 'empty'}. Leave this view out, with its pose."
        )
    return values, poses


def rays_of(camera: Camera, poses: Float[Array, "v 4 4"]) -> tuple[np.ndarray, np.ndarray]:
    """Origins and directions of the rays of all views, in world coordinates, each (all, 3)."""
    rotations, origins = np.asarray(poses[:, :3, :3]), np.asarray(poses[:, :3, 3])
    directions = np.einsum("hwj,vij->vhwi", np.asarray(camera.rays()), rotations)
    return np.repeat(origins, camera.height * camera.width, axis=0), directions.reshape(-1, 3)
