"""The segmentation as a shape: the zero set of one spline, and what can be asked of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from implicit_seg._geometry import arcs, bezier, given, pointwise, sensitivity, solid
from implicit_seg._geometry.contours import Contour, Region, contours, regions
from implicit_seg._geometry.offset import interpolate
from implicit_seg._geometry.section import section
from implicit_seg._geometry.trace import trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from jaxtyping import Bool, Float
    from matplotlib.axes import Axes

    from implicit_seg._geometry.mesh import SurfaceMesh
    from implicit_seg._geometry.solid import SolidMeasures
    from implicit_seg._geometry.trace import Trace


class ImplicitSpline:
    r"""The region $\{x : F(x) > \text{level}\}$ of a tensor-product spline F, in the plane or in space.

    What a network with `TensorProductSplineHead` predicts for one image and class, as a shape with an exact
    boundary: nothing here depends on a raster. Everything is computed in float64 on the CPU, without
    gradients (`spline_area` and `spline_perimeter` have them).

    The centre of pixel i lies at `i * spacing`; the spline is defined from the first centre to the last in
    each direction, as `evaluate_spline` takes it. Points are in the order of the axes: (row, column) or
    (slice, row, column), in units of `spacing`.

    Args:
        coefficients: grid of one spline, (n, m) or (n, m, l); a tensor or an array of floats.
        degree: 1, 2 or 3. (A spline of degree 0 has jumps and no zero set: threshold its values.)
        size: pixels of the image in each direction.
        spacing: distance between their centres, one for all directions or one for each.
        level: the boundary is where the spline has this value.

    Raises:
        ValueError: an argument is out of range, or a coefficient is not finite.

    Barrowclough et al., *Binary segmentation of medical images using implicit spline representations and deep
    learning*, 2021, section 2.4, for the spline; Plantinga and Vegter, *Isotopic approximation of implicit
    curves and surfaces*, 2004, for the way its zero set is found.

    Example:
        >>> import numpy as np
        >>> cone = 3 - np.hypot(*np.mgrid[-4:5, -4:5])
        >>> shape = ImplicitSpline(cone, degree=2, size=(65, 65), spacing=0.125)
        >>> shape
        ImplicitSpline(grid=(9, 9), degree=2, size=(65, 65), spacing=(0.125, 0.125), level=0)
        >>> (region,) = shape.regions()
        >>> round(shape.area, 6) == round(region.area, 6)
        True
    """

    def __init__(
        self,
        coefficients: Float[torch.Tensor, "*grid"] | Float[np.ndarray, "*grid"],
        degree: int = 1,
        *,
        size: Sequence[int],
        spacing: float | Sequence[float] = 1.0,
        level: float = 0.0,
    ) -> None:
        self.coefficients, self._frame = given.spline(coefficients, degree, size, spacing, level)
        self.degree, self.level = degree, float(level)
        self.size, self.spacing = self._frame.size, self._frame.spacing

    def __repr__(self) -> str:
        return (
            f"ImplicitSpline(grid={self.coefficients.shape}, degree={self.degree}, size={self.size}, "
            f"spacing={self.spacing}, level={self.level:g})"
        )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.coefficients.ndim

    @cached_property
    def _patches(self) -> np.ndarray:
        return bezier.patches(self.coefficients - self.level, self._frame)

    # --- the function ---------------------------------------------------------------------------------------

    def values(self, size: Sequence[int] | None = None) -> Float[np.ndarray, "*size"]:
        """F on a regular grid from end to end, of any size; None: of the image's."""
        size = self.size if size is None else given.grid_size("size", size, self.dimension, 2)
        values = self.coefficients
        for axis, points in enumerate(size):
            values = np.moveaxis(np.tensordot(self._frame.basis(axis, points), values, (1, axis)), 0, axis)
        return values

    def mask(self, size: Sequence[int] | None = None) -> Bool[np.ndarray, "*size"]:
        """Whether each point of a regular grid is inside; see `values`."""
        return self.values(size) > self.level

    def __call__(self, points: Float[np.ndarray, "*n dimension"]) -> Float[np.ndarray, "*n"]:
        """F at points anywhere in the domain.

        Raises:
            ValueError: a point has another dimension, or lies outside the domain.
        """
        points = given.points(points, self._frame)
        return self._derivatives(points, 0)[0].reshape(points.shape[:-1]) + self.level

    def gradient(self, points: Float[np.ndarray, "*n dimension"]) -> Float[np.ndarray, "*n dimension"]:
        """Gradient of F; on a knot line of a spline of degree 1, that of the cell above."""
        points = given.points(points, self._frame)
        return self._derivatives(points, 1)[1].reshape(points.shape)

    def hessian(
        self, points: Float[np.ndarray, "*n dimension"]
    ) -> Float[np.ndarray, "*n dimension dimension"]:
        """Second derivatives of F; on a knot line of a spline of degree 1 or 2, those of the cell above."""
        points = given.points(points, self._frame)
        return self._derivatives(points, 2)[2].reshape(*points.shape, self.dimension)

    def normals(self, points: Float[np.ndarray, "*n dimension"]) -> Float[np.ndarray, "*n dimension"]:
        r"""Unit normals $-\nabla F / |\nabla F|$ of the level sets, to the outside.

        Raises:
            ValueError: the gradient vanishes at a point, or see `__call__`.
        """
        return pointwise.normals(self.gradient(points))

    def curvature(self, points: Float[np.ndarray, "*n dimension"]) -> Float[np.ndarray, "*n"]:
        r"""Curvature of the level sets in the plane, mean curvature in space: $\nabla \cdot n / (d - 1)$.

        Positive where the inside is convex: 1/r for discs and balls of radius r.

        Raises:
            ValueError: the degree is 1, or see `normals`.
        """
        if self.degree == 1:
            raise ValueError("`degree` must be 2 or 3 for curvatures; a spline of degree 1 has kinks.")
        points = given.points(points, self._frame)
        _, gradient, hessian = self._derivatives(points, 2)
        return pointwise.curvature(gradient, hessian).reshape(points.shape[:-1])

    def project(self, points: Float[np.ndarray, "*n dimension"]) -> Float[np.ndarray, "*n dimension"]:
        """Moves points near the boundary onto it by Newton's method along the gradient.

        Raises:
            ValueError: a point does not arrive within 1e-10 of a knot cell, or see `__call__`.
        """
        points = given.points(points, self._frame)
        found = pointwise.project(self._patches, self._frame, points.reshape(-1, self.dimension))
        value, gradient = self._derivatives(found, 1)
        scale = np.linalg.norm(gradient, axis=1) * self._frame.cell.min()
        if (lost := np.flatnonzero(~(np.abs(value) <= 1e-10 * scale))).size:
            raise ValueError(
                f"point {lost[0]} of `points`, {points.reshape(-1, self.dimension)[lost[0]]}, is not close "
                "enough to the boundary to be moved onto it. Start from `contours` or `mesh`."
            )
        return found.reshape(points.shape)

    # --- the boundary in the plane --------------------------------------------------------------------------

    def contours(self, tolerance: float | None = None) -> list[Contour]:
        """All loops of the boundary, found on the spline itself; each vertex has F = level to rounding.

        Every part of the zero set is found however small it is, since cells are left out only where their
        Bernstein coefficients have one sign. Where the boundary crosses itself, loops are parted at the
        crossing.

        Args:
            tolerance: how far the polygons may be from the boundary; None: a hundredth of the spacing.

        Returns:
            Closed loops with the inside on the left (columns to the right, rows up). Where the region meets
            the border of the domain they run along it.

        Raises:
            ValueError: the spline is in space, or `tolerance` is not positive.
        """
        self._only(2, "contours", "mesh")
        tolerance = min(self.spacing) / 100 if tolerance is None else tolerance
        if not tolerance > 0:
            raise ValueError(f"`tolerance` must be positive; got {tolerance}.")
        is_inside = bool(self._patches[0, 0, 0, 0] > 0)
        return contours(self._trace, self._measures[:2], self._frame, is_inside, tolerance)

    def regions(
        self,
        *,
        min_area: float = 0.0,
        largest: int | None = None,
        fill_holes: float = 0.0,
        tolerance: float | None = None,
    ) -> list[Region]:
        """The connected parts of the inside, each an outline with its holes, the largest first.

        Args:
            min_area: smaller regions are left out, in squared units of `spacing`.
            largest: how many are kept; None: all.
            fill_holes: holes smaller than this are filled; `math.inf` fills all.
            tolerance: see `contours`.

        Raises:
            ValueError: an argument is negative, or see `contours`.
        """
        for name, value in (("min_area", min_area), ("largest", largest or 0), ("fill_holes", fill_holes)):
            if not value >= 0:
                raise ValueError(f"`{name}` must not be negative; got {value}.")
        found = [
            Region(region.outline, tuple(hole for hole in region.holes if -hole.area >= fill_holes))
            for region in regions(self.contours(tolerance))
        ]
        kept = [region for region in found if region.area >= min_area]
        return kept[:largest]

    @cached_property
    def _trace(self) -> Trace:
        return trace(self._patches, self._frame)

    @cached_property
    def _measures(self) -> tuple[np.ndarray, np.ndarray, arcs.Parts]:
        return arcs.measures(self._trace)

    @cached_property
    def area(self) -> float:
        """In the plane: area of the inside, to rounding, by Gauss's rule along the arcs of the boundary.

        In space: area of the boundary, without the border of the domain; see `measures`.
        """
        if self.dimension == 3:
            return self.measures.area
        return float(sum(loop.area for loop in self.contours(float(self._frame.extent.max()))))

    @cached_property
    def perimeter(self) -> float:
        """Length of the boundary, to rounding, without the border of the domain (the plane only)."""
        self._only(2, "perimeter", "area")
        return float(sum(loop.length for loop in self.contours(float(self._frame.extent.max()))))

    def sensitivity(self, of: Literal["area", "perimeter"]) -> Float[np.ndarray, "n m"]:
        """How much the area or the perimeter grows with each coefficient (the plane only).

        See `spline_area` and `spline_perimeter`, which give it to torch.

        Raises:
            ValueError: the spline is in space, or `of` is neither.
        """
        self._only(2, "sensitivity", "measures")
        ways = {"area": sensitivity.area_gradient, "perimeter": sensitivity.perimeter_gradient}
        if of not in ways:
            raise ValueError(f'`of` must be "area" or "perimeter"; got {of!r}.')
        return ways[of](self._trace, self._measures[2], self._frame)

    # --- other shapes ---------------------------------------------------------------------------------------

    def at_level(self, level: float) -> ImplicitSpline:
        """The same spline with its boundary at another level."""
        return ImplicitSpline(
            self.coefficients, self.degree, size=self.size, spacing=self.spacing, level=level
        )

    def band(self, confidence: float = 0.9, *, scale: float = 1.0) -> tuple[ImplicitSpline, ImplicitSpline]:
        r"""An inner and an outer shape, between which the boundary is thought to lie.

        With $P(\text{inside}) = 1 / (1 + e^{-(F - \text{level}) / \text{scale}})$, as for a network that was
        trained with the cross-entropy of its logits, the inner shape has P at least (1 + confidence) / 2 and
        the outer at least (1 - confidence) / 2. For other losses `scale` has to be calibrated on data that
        was not trained on.

        Args:
            confidence: between 0 and 1.
            scale: of the logistic function, in units of the spline's values.

        Raises:
            ValueError: `confidence` or `scale` is out of range.
        """
        if not 0 < confidence < 1 or not scale > 0:
            raise ValueError(
                "`confidence` must lie between 0 and 1 and `scale` must be positive; "
                f"got {confidence} and {scale}."
            )
        width = scale * np.log((1 + confidence) / (1 - confidence))
        return self.at_level(self.level + width), self.at_level(self.level - width)

    def signed_distance(self, points: Float[np.ndarray, "*n dimension"]) -> Float[np.ndarray, "*n"]:
        """Distance from the boundary, positive inside; infinite where there is none.

        From the closest vertex of `contours` (in space, of `mesh`) to the closest point on the spline. The
        border of the domain is not taken for a boundary.
        """
        points = given.points(points, self._frame)
        flat = points.reshape(-1, self.dimension)
        sign = np.where(self._derivatives(flat, 0)[0] > 0, 1.0, -1.0)
        vertices = self._vertices
        if not len(vertices):
            return (sign * np.inf).reshape(points.shape[:-1])
        from scipy.spatial import KDTree

        start = vertices[KDTree(vertices).query(flat)[1]]
        closest = pointwise.closest_on_zero_set(self._patches, self._frame, flat, start)
        return (sign * np.linalg.norm(flat - closest, axis=1)).reshape(points.shape[:-1])

    def offset(self, distance: float, *, grid: Sequence[int] | None = None) -> ImplicitSpline:
        """The shape grown by `distance` (shrunk where it is negative), as a spline of the signed distance.

        The signed distance is interpolated by a cubic spline: the error falls with the fourth power of the
        grid's step, except within a step or two of points that have several closest points on the boundary.

        Args:
            distance: in units of `spacing`.
            grid: coefficients of the result in each direction; None: twice as many as here.

        Raises:
            ValueError: there is no boundary, or `distance` is not finite or `grid` too small.
        """
        if not np.isfinite(distance):
            raise ValueError(f"`distance` must be finite; got {distance}.")
        if grid is None:
            grid = tuple(2 * n for n in self.coefficients.shape)
        grid = given.grid_size("grid", grid, self.dimension, 4)
        if not len(self._vertices):
            raise ValueError("there is no boundary to be offset: the shape is empty, or fills the domain.")
        values = interpolate(self.signed_distance, grid, self._frame.extent)
        return ImplicitSpline(values, 3, size=self.size, spacing=self.spacing, level=-distance)

    @cached_property
    def _vertices(self) -> np.ndarray:
        """Points on the boundary, not on the border, about a pixel apart or closer."""
        if self.dimension == 3:
            return self.mesh().vertices
        points, _ = arcs.sample(self._trace, min(self.spacing) / 100)
        return np.concatenate([points, arcs.chord_ends(self._trace)[1]])

    # --- space ----------------------------------------------------------------------------------------------

    @property
    def volume(self) -> float:
        """Volume of the inside, from the spline itself (space only); see `measures`."""
        return self.measures.volume

    @cached_property
    def measures(self) -> SolidMeasures:
        """Volume and surface with estimates of their errors (space only).

        Gauss's rule over every cell that the boundary crosses, cut where it is not smooth: within 1e-11 of a
        knot cell's volume for each, nearly always to rounding. Around points where the gradient vanishes on
        the boundary the cells of 2**-12 of a knot cell are not resolved, which the errors tell. Some 10^4
        crossed cells take a few seconds.

        Raises:
            ValueError: the spline is in the plane.
        """
        self._only(3, "measures", "area")
        return solid.measures(self._patches, self._frame)

    def mesh(self, size: Sequence[int] | None = None) -> SurfaceMesh:
        """Triangles of the boundary: marching cubes, each vertex then moved onto the spline.

        Args:
            size: points of the grid in each direction; None: of the image's. What is smaller than its cells
                is lost.

        Raises:
            ImportError: scikit-image is missing; `pip install "implicit-seg[mesh]"`.
            ValueError: the spline is in the plane, or `size` is wrong.
        """
        from implicit_seg._geometry.mesh import march

        self._only(3, "mesh", "contours")
        size = self.size if size is None else tuple(size)
        return march(self.values(size) - self.level, self._patches, self._frame)

    # --- pictures -------------------------------------------------------------------------------------------

    def plot(
        self,
        axes: Axes | None = None,
        *,
        image: Float[np.ndarray, "..."] | None = None,
        confidence: float | None = None,
        color: str = "tab:orange",
    ) -> Axes:
        """Draws the contours (in space: those of the middle slice) over an image; needs matplotlib.

        Args:
            axes: where; None makes new ones.
            image: of the shape `size`, drawn below in grey.
            confidence: also fills `band(confidence)`.
            color: of the lines.

        Raises:
            ImportError: matplotlib is missing; `pip install "implicit-seg[plot]"`.
            ValueError: `image` has another shape than `size`.
        """
        from implicit_seg._geometry.plot import draw

        return draw(self, axes, image=image, confidence=confidence, color=color)

    def slice(self, index: float, axis: int = 0) -> ImplicitSpline:
        """The spline in the plane through a solid: at pixel `index` (a fraction is allowed) along `axis`.

        Raises:
            ValueError: the spline is in the plane, or `index` or `axis` is out of range.
        """
        self._only(3, "slice", "contours")
        if axis not in (0, 1, 2) or not 0 <= index <= self.size[axis] - 1:
            raise ValueError(
                f"`axis` must be 0, 1 or 2 and `index` between 0 and size - 1; got {axis} and {index}."
            )
        rest = [k for k in range(3) if k != axis]
        return ImplicitSpline(
            section(self.coefficients, self._frame, axis, index),
            self.degree,
            size=[self.size[k] for k in rest],
            spacing=[self.spacing[k] for k in rest],
            level=self.level,
        )

    # --- checks ---------------------------------------------------------------------------------------------

    def _derivatives(self, points: np.ndarray, order: int) -> list[np.ndarray]:
        return pointwise.derivatives(self._patches, self._frame, points.reshape(-1, self.dimension), order)

    def _only(self, dimension: int, name: str, other: str) -> None:
        if self.dimension != dimension:
            where = {2: "in the plane", 3: "in space"}
            raise ValueError(
                f"`{name}` is for splines {where[dimension]}; this one is {where[self.dimension]}: "
                f"take `{other}`, or `slice` of a solid."
            )
