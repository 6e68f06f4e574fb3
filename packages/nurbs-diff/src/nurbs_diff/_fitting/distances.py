"""Distances between point clouds, differentiable through the nearest pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._fitting.nearest import SearchBackend, check_backend, nearest_indices

if TYPE_CHECKING:
    from jaxtyping import Float


def nearest_distances(
    points: Float[Tensor, "*batch m dim"],
    others: Float[Tensor, "*batch n dim"],
    *,
    squared: bool = False,
    backend: SearchBackend = "auto",
) -> Float[Tensor, "*batch m"]:
    r"""Distance of each point from the nearest of the others, $\min_j \|p_i - q_j\|$.

    Differentiable with respect to both clouds, with the pairs held fixed; that is the derivative wherever
    the nearest point is unique. Where a point meets its nearest one the gradient of the distance is 0.

    Args:
        points: p, finite, any batch in front.
        others: q, at least one.
        squared: returns squared distances.
        backend: "tree" (scipy's KD-tree, CPU, O((m + n) log n) in few dimensions), "blocked" (all m n
            distances, 16 million at a time, any device), or "auto": the tree on the CPU, blocks elsewhere.

    Returns:
        The distances.

    Raises:
        ValueError: clouds that do not match, are empty, or (on the CPU) are not finite.
        TypeError: tensors that are not float32 or float64.

    Equivalent to `scipy.spatial.cKDTree(others).query(points)[0]`.

    >>> import torch
    >>> nearest_distances(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
    tensor([1., 2.])
    """
    check_clouds(points, others, backend)
    *batch, m, dim = points.shape
    flat, flat_others = points.reshape(-1, m, dim), others.reshape(-1, others.shape[-2], dim)
    nearest = nearest_indices(flat, flat_others, backend)
    offsets = flat - flat_others.gather(1, nearest.unsqueeze(-1).expand(-1, -1, dim))
    distances = offsets.square().sum(-1)
    if not squared:
        is_apart = distances > 0
        distances = torch.where(is_apart, torch.where(is_apart, distances, 1.0).sqrt(), 0.0)
    return distances.reshape(*batch, m)


def chamfer_distance(
    points: Float[Tensor, "*batch m dim"],
    others: Float[Tensor, "*batch n dim"],
    *,
    squared: bool = True,
    backend: SearchBackend = "auto",
) -> Float[Tensor, "*batch"]:
    r"""The two-sided Chamfer distance: the sum of the two mean distances to the other cloud.

    $$\frac1m \sum_i \min_j \|p_i - q_j\|^s + \frac1n \sum_j \min_i \|p_i - q_j\|^s$$

    with s = 2, or s = 1 for `squared=False`. The literature uses both, and some halve the sum; compare with
    care. Differentiable, see `nearest_distances`.

    Args:
        points: p, finite, any batch in front.
        others: q.
        squared: whether s = 2.
        backend: see `nearest_distances`.

    Returns:
        One distance for each pair of clouds.

    Raises:
        ValueError: see `nearest_distances`.
        TypeError: see `nearest_distances`.

    >>> import torch
    >>> cloud = torch.rand(100, 3)
    >>> chamfer_distance(cloud, cloud).item()
    0.0
    """
    sides = (
        nearest_distances(a, b, squared=squared, backend=backend).mean(-1)
        for a, b in ((points, others), (others, points))
    )
    return sum(sides, points.new_zeros(points.shape[:-2]))


def hausdorff_distance(
    points: Float[Tensor, "*batch m dim"],
    others: Float[Tensor, "*batch n dim"],
    *,
    percentile: float = 100.0,
    backend: SearchBackend = "auto",
) -> Float[Tensor, "*batch"]:
    r"""The Hausdorff distance between two clouds, or a percentile of it that ignores outliers.

    $$\max \bigl( Q_i \min_j \|p_i - q_j\|,\; Q_j \min_i \|p_i - q_j\| \bigr)$$

    with Q the maximum, or that percentile (linearly interpolated) of the distances of one side.
    Differentiable, see `nearest_distances`.

    Args:
        points: p, finite, any batch in front.
        others: q.
        percentile: in (0, 100]; 100 is the Hausdorff distance itself.
        backend: see `nearest_distances`.

    Returns:
        One distance for each pair of clouds.

    Raises:
        ValueError: a percentile outside its range; see `nearest_distances`.
        TypeError: see `nearest_distances`.

    Equivalent to the larger of `scipy.spatial.distance.directed_hausdorff` of the two orders.

    >>> import torch
    >>> hausdorff_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [5.0]]))
    tensor(4.)
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"`percentile` must lie in (0, 100]; got {percentile!r}.")
    sides = [
        _percentile(nearest_distances(a, b, backend=backend), percentile)
        for a, b in ((points, others), (others, points))
    ]
    return torch.maximum(sides[0], sides[1])


def _percentile(distances: Tensor, percentile: float) -> Tensor:
    if percentile == 100:
        return distances.amax(-1)
    ordered = distances.sort(-1).values  # torch.quantile refuses large tensors
    place = percentile / 100 * (ordered.shape[-1] - 1)
    low = int(place)
    return torch.lerp(ordered[..., low], ordered[..., min(low + 1, ordered.shape[-1] - 1)], place - low)


def check_clouds(points: Tensor, others: Tensor, backend: SearchBackend) -> None:
    """Raises unless the two are clouds of one batch and dimension that can be searched."""
    _checks.check_floating(points=points, others=others)
    check_backend(backend, points)
    for name, cloud in (("points", points), ("others", others)):
        if cloud.ndim < 2 or cloud.shape[-2] == 0:
            raise ValueError(
                f"`{name}` must have shape (..., count, dim) with at least one point; got "
                f"{tuple(cloud.shape)}."
            )
        if cloud.device.type == "cpu" and not bool(torch.isfinite(cloud).all()):
            place = torch.nonzero(~torch.isfinite(cloud))[0].tolist()
            raise ValueError(
                f"`{name}` must be finite; {name}{place} = {float(cloud[tuple(place)])}. Drop that point."
            )
    if points.shape[:-2] != others.shape[:-2] or points.shape[-1] != others.shape[-1]:
        raise ValueError(
            f"`points` and `others` must agree in batch and dimension; got {tuple(points.shape)} and "
            f"{tuple(others.shape)}."
        )
    if points.dtype != others.dtype:
        raise TypeError(f"`points` and `others` must have one dtype; got {points.dtype} and {others.dtype}.")
