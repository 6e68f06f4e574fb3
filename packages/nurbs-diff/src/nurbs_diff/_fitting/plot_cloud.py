"""Pictures of fits to clouds and of curves; matplotlib is imported only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nurbs_diff._fitting.cloud import CloudFit
    from nurbs_diff._fitting.curve import CurveFit

_GRID = 60


def plot_cloud_fit(fit: CloudFit, figure: Figure | None) -> Figure:
    """See `CloudFit.plot`."""
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise ImportError('Plotting needs matplotlib: pip install "nurbs-diff[plot]".') from error
    from nurbs_diff._evaluation.grids import evaluate_surface

    if figure is None:
        figure = NewFigure(figsize=(10.0, 4.2), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=(3, 2))
    points, distances = fit.points.cpu().numpy(), fit.distances.cpu().numpy()
    u, v = (
        torch.linspace(float(t[0]), float(t[-1]), _GRID, dtype=t.dtype, device=t.device)
        for t in (
            _domain(fit.knots_u, fit.control_points.shape[0]),
            _domain(fit.knots_v, fit.control_points.shape[1]),
        )
    )
    surface = evaluate_surface(*fit.spline[:3], u, v).cpu().numpy()
    if points.shape[1] == 3:
        axes: Any = figure.add_subplot(grid[0], projection="3d", computed_zorder=False)
        axes.plot_surface(*np.moveaxis(surface, -1, 0), color="C0", alpha=0.35, linewidth=0, zorder=1)
        cloud = axes.scatter(*points.T, c=distances, s=4, cmap="magma", depthshade=False, zorder=2)
        axes.set_box_aspect(np.maximum(np.ptp(points, axis=0), 0.2 * np.ptp(points, axis=0).max()))
    else:
        axes = figure.add_subplot(grid[0])
        for line in (*surface[::6], *np.swapaxes(surface, 0, 1)[::6]):
            axes.plot(line[:, 0], line[:, 1], color="C0", linewidth=0.7)
        cloud = axes.scatter(points[:, 0], points[:, 1], c=distances, s=4, cmap="magma")
        axes.set_aspect("equal")
    figure.colorbar(cloud, ax=axes, label="distance", shrink=0.7)
    axes.set_title(f"{len(points)} points, rms {fit.rms:.3g}")
    curve = figure.add_subplot(grid[1])
    curve.semilogy(range(1, len(fit.losses) + 1), fit.losses, "o-", markersize=3)
    curve.set(xlabel="iteration", ylabel="rms distance")
    return figure


def _domain(knots: torch.Tensor, count: int) -> torch.Tensor:
    degree = len(knots) - count - 1
    return knots[[degree, count]]


def plot_curve_fit(fit: CurveFit, figure: Figure | None) -> Figure:
    """See `CurveFit.plot`."""
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise ImportError('Plotting needs matplotlib: pip install "nurbs-diff[plot]".') from error
    from nurbs_diff._evaluation.grids import evaluate_curve

    dim = fit.points.shape[1]
    has_shape = dim in (2, 3)
    if figure is None:
        figure = NewFigure(figsize=(10.0 if has_shape else 5.0, 4.2), layout="constrained")
    if has_shape:
        low, high = _domain(fit.knots, len(fit.control_points)).tolist()
        u = torch.linspace(low, high, 400, dtype=torch.float64, device=fit.knots.device)
        breakpoints = fit.knots[(fit.knots >= low) & (fit.knots <= high)].unique()
        lines = {
            "points": (fit.points, {"marker": ".", "linestyle": "", "color": "C1"}),
            "curve": (evaluate_curve(*fit.spline[:2], u, weights=fit.weights), {"color": "C0"}),
            "knots": (
                evaluate_curve(*fit.spline[:2], breakpoints, weights=fit.weights),
                {"marker": "|", "linestyle": "", "color": "C0", "markersize": 10},
            ),
            "control points": (fit.control_points, {"marker": "o", "linewidth": 0.7, "color": "C7"}),
        }
        axes: Any = figure.add_subplot(1, 2, 1, projection="3d" if dim == 3 else None)
        for label, (line, style) in lines.items():
            axes.plot(*line.cpu().numpy().T, label=label, **style)
        axes.legend(fontsize="small")
        axes.set_aspect("equal")
    error = figure.add_subplot(1, 2 if has_shape else 1, 2 if has_shape else 1)
    error.plot(fit.u.cpu().numpy(), fit.distances.cpu().numpy(), ".-")
    error.set(xlabel="u", ylabel="distance", title=f"rms {fit.rms:.3g}")
    return figure
