"""Pictures of fits; matplotlib is imported only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nurbs_diff._fitting.surface import SurfaceFit


def plot_surface_fit(fit: SurfaceFit, figure: Figure | None) -> Figure:
    """See `SurfaceFit.plot`."""
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise ImportError('Plotting needs matplotlib: pip install "nurbs-diff[plot]".') from error
    has_shape = fit.points.shape[-1] == 3
    if figure is None:
        figure = NewFigure(figsize=(10.0 if has_shape else 5.0, 4.2), layout="constrained")
    if has_shape:
        x, y, z = np.moveaxis(fit.values.cpu().numpy(), -1, 0)
        axes: Any = figure.add_subplot(1, 2, 1, projection="3d")
        axes.plot_surface(x, y, z, cmap="viridis", rcount=80, ccount=80, linewidth=0)
        axes.set_title("surface")
    plane = figure.add_subplot(1, 2 if has_shape else 1, 2 if has_shape else 1)
    distance = fit.distances.mT.cpu().numpy()
    image = plane.pcolormesh(
        fit.u.cpu().numpy(), fit.v.cpu().numpy(), distance, cmap="magma", shading="nearest"
    )
    figure.colorbar(image, ax=plane, label="distance")
    for knot in fit.knots_u.tolist():
        plane.axvline(knot, color="white", linewidth=0.6)
    for knot in fit.knots_v.tolist():
        plane.axhline(knot, color="white", linewidth=0.6)
    plane.set(xlabel="u", ylabel="v", title=f"error (rms {fit.rms:.3g}) and knots")
    return figure
