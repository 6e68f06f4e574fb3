"""The level whose surface agrees best with what is known of the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import as_floats, choose

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._blend import Blend
    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._render import BlendName
    from fuzzy_metaballs._shape import FuzzyMetaballs


def level_from_points(shape: FuzzyMetaballs, points: ArrayLike, *, blend: BlendName = "paper") -> float:
    r"""The level T for `to_mesh` whose surface lies nearest to points of the object's surface.

    To first order the point $x$ lies $|\log F(x) - \log T| / |\nabla \log F(x)|$ away from the surface
    $F = T$; the mean of these distances is least at the median of $\log F$ weighted with
    $1 / |\nabla \log F|$. Time grows with points times N.

    Args:
        shape: the mixture.
        points: (M, 3), world units, about evenly spread over the surface.
        blend: as in `to_mesh`.

    Raises:
        ValueError: there is no point, or a coordinate is not finite.

    Example:
        >>> from fuzzy_metaballs import FuzzyMetaballs
        >>> ball = FuzzyMetaballs.from_covariances([[0.0, 0.0, 0.0]], np.eye(3)[None])
        >>> level = level_from_points(ball, [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        >>> round(float(np.log(level)), 4)  # -2^2 / 2
        -2.0
    """
    points = np.asarray(as_floats("points", points, (None, 3)), np.float64)
    if not len(points):
        raise ValueError("`points` holds no point; at least one is needed.")
    log_value, slope = _log_field(shape, blend, points)
    weight = 1 / np.maximum(slope, np.finfo(float).tiny)
    order = np.argsort(log_value)
    half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    return float(np.exp(log_value[order][min(half, len(points) - 1)]))


def level_from_masks(
    shape: FuzzyMetaballs,
    masks: Float[Array | np.ndarray, "views h w"],
    camera: Camera,
    poses: Float[Array | np.ndarray, "views 4 4"],
    *,
    blend: BlendName = "paper",
) -> float:
    r"""The level T for `to_mesh` whose silhouettes agree best with masks: intersection over union.

    A ray hits the surface $F = T$ where the largest F along it exceeds T. That largest value is taken among
    the places where the ray comes closest to each component, which is exact for one component and a little
    low between components. Every T gives one set of rays; all are tried, by sorting. Time grows with pixels
    times $N^2$.

    Args:
        shape: the mixture.
        masks: (V, H, W), at least 1/2 on the object; rendered alphas do as well.
        camera: of all views.
        poses: (V, 4, 4), camera to world.
        blend: as in `to_mesh`.

    Raises:
        ValueError: shapes do not fit, or the masks are empty.
    """
    views = len(masks)
    masks = np.asarray(as_floats("masks", masks, (views, camera.height, camera.width)))
    poses = np.asarray(as_floats("poses", poses, (views, 4, 4)), np.float64)
    inside = masks.ravel() >= 0.5
    if not inside.any():
        raise ValueError("`masks` are empty: no pixel is at least 1/2, so no surface can agree with them.")
    rays = np.asarray(camera.rays(), np.float64).reshape(-1, 3)
    means, factors = (np.asarray(x, np.float64) for x in (shape.means, shape.precision_cholesky))
    largest = []
    for pose in poses:
        directions = rays @ pose[:3, :3].T
        q = np.einsum("nij,ri->nrj", factors, directions)
        y = np.einsum("nij,ni->nj", factors, means - pose[:3, 3])[:, None]
        depths = np.maximum((q * y).sum(2) / (q * q).sum(2), 0)
        best = np.full(len(rays), -np.inf)
        for depth in depths:  # a component at a time bounds the memory
            points = pose[:3, 3] + depth[:, None] * directions
            best = np.maximum(best, _log_field(shape, blend, points)[0])
        largest.append(best)
    values = np.concatenate(largest)
    order = np.argsort(-values)
    hits = np.cumsum(inside[order])
    shares = hits / (inside.sum() + np.arange(1, len(values) + 1) - hits)
    last = int(np.argmax(shares))
    # Any level between this ray's value and the next one's gives the same rays.
    after = values[order[min(last + 1, len(values) - 1)]]
    return float(np.exp((values[order[last]] + max(after, values[order[last]] - 1)) / 2))


def _log_field(shape: FuzzyMetaballs, blend: BlendName, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log F and the length of its gradient."""
    choose("blend", blend, tuple(BLENDS))
    law: Blend = BLENDS[blend]
    means, factors, log_mass = (
        np.asarray(x, np.float64) for x in (shape.means, shape.precision_cholesky, law.log_mass(shape))
    )
    largest = np.full(len(points), -np.inf)
    total, gradient = np.zeros(len(points)), np.zeros_like(points)
    for mean, factor, mass in zip(means, factors, log_mass, strict=True):
        y = (points - mean) @ factor
        exponent = mass - (y**2).sum(1) / 2
        before, largest = largest, np.maximum(largest, exponent)
        scale, term = np.exp(before - largest), np.exp(exponent - largest)
        total = total * scale + term
        gradient = gradient * scale[:, None] - term[:, None] * (y @ factor.T)
    return largest + np.log(total), np.linalg.norm(gradient, axis=1) / total
