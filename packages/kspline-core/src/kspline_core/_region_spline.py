"""Region-wise polynomials: the projection of an image onto a partition, and its Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from kspline_core import _check, _check_regions
from kspline_core._native import core, thread_count

if TYPE_CHECKING:
    from jaxtyping import Float, Float64, Int, Int32, Real
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False, repr=False)
class RegionSpline:
    """A piecewise polynomial on the regions of an image, or a batch of them.

    Attributes:
        values: the piecewise polynomial at the pixels, shape (..., height, width).
        labels: the region of each pixel, shape of `values`, from 0 for each image.
        cost: the (weighted) sum of squared residuals of each image, shape (...).
        degree: total degree of the polynomials.
        weights: of the pixels, shape of `values`; None: all ones.
    """

    values: Float[np.ndarray, "*batch height width"]
    labels: Int32[np.ndarray, "*batch height width"]
    cost: Float64[np.ndarray, "*batch"]
    degree: int
    weights: Float64[np.ndarray, "*batch height width"] | None = None

    def jvp(
        self, v: Real[np.ndarray, "*stack height width"] | ArrayLike, *, threads: int | None = None
    ) -> Float[np.ndarray, "*stack height width"]:
        r"""Product $J v$ with the weak Jacobian of `values` with respect to the image.

        $J$ is block diagonal, one block per region (Cho et al., 2021, Theorem 1): the orthogonal projector
        onto the polynomials on it, $B (B^T W B)^{-1} B^T W$. It is exact as long as no pixel changes its
        region. Takes O(p^2) for each pixel, with p polynomials; O(1) for degree 0.

        Args:
            v: shape of `values`, or a stack of such with further leading dimensions.
            threads: at most this many threads; None: as many as the process may use cores.

        Returns:
            The product, with the shape and dtype of `v` (float64 for integers).

        Raises:
            ValueError: `v` does not end in the shape of `values`.
        """
        return self._product("jacobian", v, threads)

    def vjp(
        self, v: Real[np.ndarray, "*stack height width"] | ArrayLike, *, threads: int | None = None
    ) -> Float[np.ndarray, "*stack height width"]:
        """Product with the transpose of the Jacobian; equal to `jvp` without weights. Arguments as there."""
        return self._product("transposed", v, threads)

    def _product(
        self, kind: Literal["jacobian", "transposed"], v: ArrayLike, threads: int | None
    ) -> Float[np.ndarray, "*stack height width"]:
        array = _check.real("v", v)
        shape = self.values.shape
        if array.ndim < len(shape) or array.shape[array.ndim - len(shape) :] != shape:
            raise ValueError(f"`v` must end in the shape of the values, {shape}; got {array.shape}.")
        return product(kind, array, self.labels, self.weights, self.degree, threads)

    def __repr__(self) -> str:
        *batch, height, width = self.values.shape
        size = f"batch={tuple(batch)}, " if batch else ""
        total = "total_cost" if batch else "cost"
        return f"RegionSpline({size}{height} x {width}, degree={self.degree}, {total}={self.cost.sum():.6g})"


def project_regions(
    image: Real[np.ndarray, "*batch height width"] | ArrayLike,
    labels: Int[np.ndarray, "*#batch height width"] | ArrayLike,
    degree: int = 0,
    *,
    weights: Real[np.ndarray, "*#batch height width"] | ArrayLike | None = None,
    threads: int | None = None,
) -> RegionSpline:
    r"""Orthogonal projection of an image onto the piecewise polynomials of a given partition.

    $$\arg\min_h \tfrac12 \sum_j w_j (v_j - h_j)^2$$

    over all $h$ that are, on each region, a polynomial of total degree at most `degree` in the pixel's row
    and column. Cho et al., *Differentiable Spline Approximations* (2021), eq. 1 in two dimensions, with the
    partition fixed. Polynomials that the pixels of a region do not tell apart (to 1e-10, relatively) are
    left out, the later in the order 1; row, column; row^2, row column, column^2; ... : on a single row of
    pixels, for example, those with a factor of the row.

    Args:
        image: shape (..., height, width), float32, float64 or integers. All sums are taken in float64,
            relative to a pixel of the region.
        labels: the region of each pixel, as by `regions` or any integers within 32 bits; shape of `image` or
            of one image. Regions need not be connected.
        degree: 0 to 3.
        weights: non-negative, finite, shape of `image` or of one image. A pixel of weight 0 is missing: it is
            not read and may be NaN, and gets what its region says there. None: all ones.
        threads: at most this many threads; None: as many as the process may use cores.

    Returns:
        The fit, with `values` in the dtype of `image` (float64 for integers).

    Raises:
        TypeError: `image` or `weights` is not real, `labels` are no integers, or `degree` is no integer.
        ValueError: a shape does not fit, a value is not finite or a weight negative, all pixels of a region
            are missing, or sums leave the range of float64.

    Example:
        >>> import numpy as np
        >>> from kspline_core import project_regions, regions
        >>> image = np.array([[1.0, 0.8, 0.1], [0.9, 0.0, 0.2]])
        >>> project_regions(image, regions(image)).values
        array([[0.9, 0.9, 0.1],
               [0.9, 0.1, 0.1]])

    Takes O(1) for each pixel for degree 0; else O(p^2) by Gram-Schmidt, with p = 3, 6, 10 polynomials.
    Equivalent to `scipy.ndimage.mean` on each label for degree 0.
    """
    array = _check.real("image", image)
    _check_regions.image_shape(array.shape)
    degree = _check.integer("degree", degree, 0, _check.MAX_DEGREE)
    numbers = compact(_check_regions.label_map(labels, array.shape))
    w = _check_regions.pixel_weights(weights, array.shape)
    read = array if w is None else np.where(w > 0, array, 0)
    _check.finite("image", read, "Repair it, or give missing pixels the weight 0.")
    if w is not None:
        _require_seen(numbers, w)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        values = product("values", array.astype(np.float64, copy=False), numbers, w, degree, threads)
        residuals = read - (values if w is None else np.where(w > 0, values, 0))
        cost = np.sum(residuals * residuals if w is None else w * residuals * residuals, axis=(-2, -1))
    if not (np.isfinite(cost).all() and np.isfinite(values).all()):
        raise ValueError(
            "sums leave the range of float64: `image` or `weights` is too large. "
            "Divide it by its largest value."
        )
    return RegionSpline(values.astype(array.dtype, copy=False), numbers, np.asarray(cost), degree, w)


def compact(labels: np.ndarray) -> Int32[np.ndarray, "*batch height width"]:
    """Numbers the labels anew, in their order, unless they lie from 0 to less than the count of pixels."""
    if labels.size == 0 or (labels.min() >= 0 and labels.max() < labels.shape[-2] * labels.shape[-1]):
        return labels.astype(np.int32)  # a copy: the caller may change theirs
    images = labels.reshape(-1, *labels.shape[-2:])
    numbers = [np.unique(image, return_inverse=True)[1].reshape(image.shape) for image in images]
    return np.stack(numbers).astype(np.int32).reshape(labels.shape)


def product(
    kind: Literal["values", "jacobian", "transposed"],
    v: Real[np.ndarray, "*stack height width"],
    labels: Int32[np.ndarray, "*batch height width"],
    weights: Float64[np.ndarray, "*batch height width"] | None,
    degree: int,
    threads: int | None,
) -> Float[np.ndarray, "*stack height width"]:
    """Applies the projector, or its transpose, to `v` of checked shape, with labels from `compact`."""
    images = (int(np.prod(labels.shape[:-2])), *labels.shape[-2:])
    repeats = int(np.prod(v.shape[: v.ndim - labels.ndim]))
    return (
        core.project_regions(
            kind,
            np.ascontiguousarray(v, dtype=np.float64).reshape(repeats, *images),
            np.ascontiguousarray(labels).reshape(images),
            None if weights is None else np.ascontiguousarray(weights, dtype=np.float64).reshape(images),
            int(labels.max(initial=-1)) + 1,
            degree,
            thread_count(None if threads is None else _check.integer("threads", threads, 1)),
        )
        .reshape(v.shape)
        .astype(v.dtype, copy=False)
    )


def _require_seen(
    labels: Int32[np.ndarray, "*batch height width"], weights: Float64[np.ndarray, "*batch height width"]
) -> None:
    """Refuses a region without a pixel of positive weight."""
    count = int(labels.max(initial=-1)) + 1
    images = labels.reshape(int(np.prod(labels.shape[:-2])), -1)
    flat = (images + count * np.arange(len(images))[:, None]).ravel()
    pixels = np.bincount(flat, minlength=count * len(images))
    seen = np.bincount(flat, weights=weights.ravel() > 0, minlength=count * len(images))
    lost = np.flatnonzero((pixels > 0) & (seen == 0))
    if lost.size:
        image, label = divmod(int(lost[0]), count)
        place = f" of image {image}" if labels.ndim > 2 else ""
        raise ValueError(
            f"each region needs a pixel of positive weight; region {label}{place} has none. "
            "Join it to a neighbour, or raise `weights` there."
        )
