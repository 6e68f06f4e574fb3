"""Parameters for the points of a cloud: a first guess, and the closest points of a surface."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, KDTree, QhullError

if TYPE_CHECKING:
    from nurbs_diff._fitting.sparse_basis import TensorProduct

Array = np.ndarray
_SHORTENINGS = 4
_ARRIVED = 1e-9  # a step shorter than this share of the domain changes a distance by its square


def plane_parameters(points: Array) -> tuple[Array, tuple[float, float]]:
    """Parameters in the unit square from the plane that fits the cloud best, and the sides of its rectangle.

    The square is the smallest rectangle around the projected cloud, u along its longer side; the principal
    axes themselves would be arbitrary for a square cloud.

    Raises:
        ValueError: the cloud lies on a line.
    """
    centred = points - points.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(1)])[:, None]  # not left to the library's taste
    flat = centred @ axes.T
    try:
        corners = flat[ConvexHull(flat).vertices]
    except QhullError:
        raise ValueError(
            "`points` lie on a line, or nearly so: they span no surface. Use `fit_curve`, or give "
            "`parameters`."
        ) from None
    edges = np.diff(corners, axis=0, append=corners[:1])
    along = edges / np.linalg.norm(edges, axis=1, keepdims=True)
    frames = np.stack([along, along[:, ::-1] * [-1, 1]], 1)  # one for each edge of the hull
    extents = np.ptp(np.einsum("fad,cd->fac", frames, corners), axis=2)
    best = int(extents.prod(1).argmin())
    frame, sides = frames[best], extents[best]
    if sides[1] > sides[0]:
        frame, sides = frame[::-1], sides[::-1]
    turned = flat @ frame.T
    unit = (turned - turned.min(0)) / np.ptp(turned, axis=0)
    return unit, (float(sides[0]), float(sides[1]))


def nearest_on_grid(product: TensorProduct, net: Array, points: Array, per_span: int = 4) -> Array:
    """Parameters of the nearest of a grid of surface points, with some points in every span."""
    lines = [
        np.unique(np.concatenate([np.linspace(a, b, per_span + 1) for a, b in pairwise(t)]))
        for t in (product.u.breakpoints, product.v.breakpoints)
    ]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 2)
    surface = product.derivatives(net, grid, 0)[0, 0]
    return grid[KDTree(surface).query(points)[1]]


def corrected(product: TensorProduct, net: Array, points: Array, parameters: Array, steps: int) -> Array:
    r"""Parameters whose surface points are closer, by Newton's method for $\min \|S(u, v) - P\|^2$.

    Where the Hessian is not positive definite its part from first derivatives alone is used. A step stays in
    the domain, and one that does not come closer is shortened, in the end to nothing. The minimum found is
    the one next to where the search began. The NURBS Book, section 6.1; Hoschek, *Intrinsic parametrization
    for approximation*, CAGD 5, 1988.
    """
    lower, upper = product.lower, product.upper
    parameters = parameters.copy()
    moving = np.arange(len(points))  # those that have not arrived
    for _ in range(steps):
        here, targets = parameters[moving], points[moving]
        d = product.derivatives(net, here, 2)
        offset = d[0, 0] - targets
        step = _newton_step(d, offset, here <= lower, here >= upper)
        step = np.clip(here + step, lower, upper) - here
        is_moving = (np.abs(step) > _ARRIVED * (upper - lower)).any(1)
        moving, here, targets, step = (part[is_moving] for part in (moving, here, targets, step))
        if len(moving) == 0:
            break
        distance = np.square(offset[is_moving]).sum(1)
        pending = np.arange(len(moving))
        for _ in range(_SHORTENINGS):
            trial = here[pending] + step[pending]
            reached = product.derivatives(net, trial, 0)[0, 0] - targets[pending]
            is_closer = np.square(reached).sum(1) < distance[pending]
            parameters[moving[pending[is_closer]]] = trial[is_closer]
            pending = pending[~is_closer]
            if len(pending) == 0:
                break
            step[pending] /= 4
    return parameters


def _newton_step(
    d: dict[tuple[int, int], Array], offset: Array, is_lowest: Array, is_highest: Array
) -> Array:
    """The step of each point; 0 in a direction that would lead out of the domain."""
    gradient = [(d[1, 0] * offset).sum(1), (d[0, 1] * offset).sum(1)]
    first = [(d[a] * d[b]).sum(1) for a, b in (((1, 0), (1, 0)), ((1, 0), (0, 1)), ((0, 1), (0, 1)))]
    full = [part + (d[c] * offset).sum(1) for part, c in zip(first, ((2, 0), (1, 1), (0, 2)), strict=True)]
    diagonal = full[0] * full[2]
    is_definite = (full[0] > 0) & (full[2] > 0) & (diagonal - full[1] ** 2 > 1e-8 * diagonal)
    uu, uv, vv = (np.where(is_definite, a, b) for a, b in zip(full, first, strict=True))
    # at a cusp, where the first derivatives are dependent, the step is short and along the gradient
    tiny = np.finfo(float).eps * (first[0] + first[2]) + np.finfo(float).tiny
    uu, vv = uu + tiny, vv + tiny
    for k in range(2):
        is_stuck = (is_lowest[:, k] & (gradient[k] > 0)) | (is_highest[:, k] & (gradient[k] < 0))
        gradient[k] = np.where(is_stuck, 0, gradient[k])
        uv = np.where(is_stuck, 0, uv)
    determinant = uu * vv - uv**2
    return (
        -np.stack([vv * gradient[0] - uv * gradient[1], uu * gradient[1] - uv * gradient[0]], 1)
        / determinant[:, None]
    )
