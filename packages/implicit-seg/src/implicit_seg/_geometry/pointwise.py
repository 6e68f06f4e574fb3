"""Values and derivatives of a spline at scattered points."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import bezier

if TYPE_CHECKING:
    from jaxtyping import Float

    from implicit_seg._geometry.frame import Frame


def derivatives(
    patches: Float[np.ndarray, "..."], frame: Frame, points: Float[np.ndarray, "n dimension"], order: int
) -> list[np.ndarray]:
    """Value (n,), gradient (n, d) and Hessian (n, d, d) up to `order`; on a knot those of the cell above."""
    dimension = points.shape[1]
    cells = np.clip(np.floor(points / frame.cell), 0, np.array(frame.cells) - 1).astype(np.int64)
    local = (points / frame.cell - cells)[:, None]
    polynomials = patches[tuple(cells.T)]
    unit = np.eye(dimension, dtype=int)

    def partial(*axes: int) -> np.ndarray:
        orders = tuple(int(k) for k in sum((unit[axis] for axis in axes), np.zeros(dimension, int)))
        return bezier.evaluate(polynomials, local, [orders])[0][:, 0] / np.prod(frame.cell[list(axes)])

    results = [partial()]
    if order > 0:
        results.append(np.stack([partial(axis) for axis in range(dimension)], -1))
    if order > 1:
        hessian = np.empty((len(points), dimension, dimension))
        for a, b in combinations_with_replacement(range(dimension), 2):
            hessian[:, a, b] = hessian[:, b, a] = partial(a, b)
        results.append(hessian)
    return results


def normals(gradient: Float[np.ndarray, "*n dimension"]) -> Float[np.ndarray, "*n dimension"]:
    """Unit vectors against the gradients; raises `ValueError` where one vanishes."""
    return -gradient / _length(gradient)[..., None]


def curvature(
    gradient: Float[np.ndarray, "n dimension"], hessian: Float[np.ndarray, "n dimension dimension"]
) -> Float[np.ndarray, " n"]:
    """Divergence of `normals` over (dimension - 1), from the derivatives of the function."""
    norm = _length(gradient)
    trace_part = norm**2 * np.trace(hessian, axis1=1, axis2=2)
    along = np.einsum("ni,nij,nj->n", gradient, hessian, gradient)
    return (along - trace_part) / norm**3 / (gradient.shape[1] - 1)


def _length(gradient: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(gradient, axis=-1)
    if not norm.all():
        raise ValueError("the gradient vanishes at one of `points`: there is no normal there.")
    return norm


def project(
    patches: Float[np.ndarray, "..."], frame: Frame, points: Float[np.ndarray, "n dimension"]
) -> Float[np.ndarray, "n dimension"]:
    """Moves points near the zero set onto it, along the gradient; the others stay where they were."""
    found, scale = points.copy(), frame.cell.min()
    for _ in range(30):
        value, gradient = derivatives(patches, frame, found, 1)
        square = (gradient**2).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where((value == 0) | (square == 0), 0.0, value / square)[:, None] * gradient
        length = np.linalg.norm(step, axis=1)
        step *= np.minimum(1, scale / 2 / np.where(length > 0, length, 1))[
            :, None
        ]  # not across cells at once
        found = np.clip(found - step, 0, frame.extent)
        if not (length > 1e-13 * scale).any():
            break
    value, gradient = derivatives(patches, frame, found, 1)
    arrived = np.abs(value) <= 1e-10 * np.linalg.norm(gradient, axis=1) * scale
    return np.where(arrived[:, None], found, points)


def closest_on_zero_set(
    patches: Float[np.ndarray, "..."],
    frame: Frame,
    points: Float[np.ndarray, "n dimension"],
    start: Float[np.ndarray, "n dimension"],
) -> Float[np.ndarray, "n dimension"]:
    """Improves close points on the zero set to the closest: Newton's method for x + t grad F = q, F = 0.

    Where it does not arrive, or at a point that is farther, the start stays.
    """
    dimension = points.shape[1]
    found = start.copy()
    _, gradient = derivatives(patches, frame, found, 1)
    square = (gradient**2).sum(1)
    along = ((points - found) * gradient).sum(1) / np.where(square > 0, square, 1)
    system = np.zeros((len(points), dimension + 1, dimension + 1))
    for _ in range(12):
        value, gradient, hessian = derivatives(patches, frame, found, 2)
        system[:, :dimension, :dimension] = np.eye(dimension) + along[:, None, None] * hessian
        system[:, :dimension, dimension] = system[:, dimension, :dimension] = gradient
        missing = np.concatenate([found + along[:, None] * gradient - points, value[:, None]], 1)
        singular = ~(np.abs(np.linalg.det(system)) > 0)
        system[singular] = np.eye(dimension + 1)
        step = np.linalg.solve(system, missing[..., None])[..., 0]
        found = np.clip(found - step[:, :dimension], 0, frame.extent)
        along = along - step[:, dimension]
        if not (np.abs(step[:, :dimension]) > 1e-13 * frame.extent.max()).any():
            break
    value, gradient = derivatives(patches, frame, found, 1)
    on_it = np.abs(value) <= 1e-10 * np.linalg.norm(gradient, axis=1) * frame.cell.min()
    closer = np.linalg.norm(points - found, axis=1) <= np.linalg.norm(points - start, axis=1)
    return np.where((on_it & closer)[:, None], found, start)
