"""Pictures of an implicit spline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from implicit_seg._geometry.contours import Region
    from implicit_seg._geometry.spline import ImplicitSpline


def draw(
    spline: ImplicitSpline,
    axes: Axes | None,
    *,
    image: np.ndarray | None,
    confidence: float | None,
    color: str,
) -> Axes:
    """See `ImplicitSpline.plot`."""
    if image is not None and image.shape[: spline.dimension] != spline.size:
        raise ValueError(f"`image` must have the shape {spline.size}, as the spline; got {image.shape}.")
    if axes is None:
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError('`plot` needs matplotlib: pip install "implicit-seg[plot]".') from error
        axes = Figure(layout="constrained").add_subplot()
    if spline.dimension == 3:
        middle = spline.size[0] // 2
        spline, image = spline.slice(middle), None if image is None else image[middle]
        axes.set_title(f"slice {middle}")
    step, extent = np.array(spline.spacing), (np.array(spline.size) - 1) * np.array(spline.spacing)
    (top, left), (bottom, right) = -step / 2, extent + step / 2  # the outer edges of the pixels
    if image is not None:
        axes.imshow(image, cmap="gray", extent=(left, right, bottom, top))
    if confidence is not None:
        inner, outer = spline.band(confidence)
        # loops the other way round are holes
        _fill(axes, [*_loops(outer.regions()), *(loop[::-1] for loop in _loops(inner.regions()))], color)
    for region in spline.regions():
        for loop in (region.outline, *region.holes):
            closed = np.concatenate([loop.points, loop.points[:1]])
            axes.plot(closed[:, 1], closed[:, 0], color=color, linewidth=1.2)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xlabel="column", ylabel="row")
    return axes


def _loops(regions: list[Region]) -> list[np.ndarray]:
    return [loop.points[:, ::-1] for region in regions for loop in (region.outline, *region.holes)]


def _fill(axes: Axes, loops: list[np.ndarray], color: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if loops:
        whole = Path.make_compound_path(
            *(Path(np.concatenate([loop, loop[:1]]), closed=True) for loop in loops)
        )
        axes.add_patch(PathPatch(whole, facecolor=color, edgecolor="none", alpha=0.3))
