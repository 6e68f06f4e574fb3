"""The pictures of `dsa.inverse`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from repro.context import Context


def draw(
    context: Context,
    *,
    truth: Tensor,
    observed: Tensor,
    recovered: Tensor,
    path: np.ndarray,
    chosen: float,
    trivial: float,
) -> None:
    """Draws truth, observations, recovery and error; and what each weight of the prior gives."""
    context.picture(
        "recovery",
        "Logarithm of the true diffusivity; what was observed of u for the first of the four sources, noise "
        "included; logarithm of the recovered diffusivity; and recovered less true.",
        lambda figure: _draw_maps(figure, truth, observed[0], recovered),
        size=(8.0, 6.8),
    )
    context.picture(
        "path",
        "Over the weight of the prior, from strong to weak: misfit in units of the noise, and relative "
        "error of log nu, which the rule does not see. The vertical line is the weight that the "
        "discrepancy principle takes, the dotted one the error of the best constant.",
        lambda figure: _draw_path(figure, path, chosen, trivial),
        size=(7.0, 3.9),
    )


def _draw_maps(figure: Figure, truth: Tensor, observed: Tensor, recovered: Tensor) -> None:
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    low, high = float(truth.min()), float(truth.max())
    error = recovered - truth
    top = float(error.abs().max())
    _map(axes[0, 0], truth, "log nu, true", cmap="magma", vmin=low, vmax=high)
    margin = 0.5 / (observed.shape[0] + 1)  # half the distance of the sensors, which keep off the boundary
    _map(axes[0, 1], observed, "u observed, first source", margin=margin)
    _map(axes[1, 0], recovered, "log nu, recovered", cmap="magma", vmin=low, vmax=high)
    _map(axes[1, 1], error, "recovered less true", cmap="RdBu_r", vmin=-top, vmax=top)


def _map(ax: Axes, values: Tensor, title: str, *, margin: float = 0.0, **style: object) -> None:
    extent = (margin, 1 - margin, margin, 1 - margin)
    image = ax.imshow(values.cpu().numpy().T, origin="lower", extent=extent, **style)  # pyright: ignore[reportArgumentType]
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.figure.colorbar(image, ax=ax, shrink=0.85)
    ax.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], title=title)


def _draw_path(figure: Figure, path: np.ndarray, chosen: float, trivial: float) -> None:
    ax = figure.subplots()
    weights, misfits, errors = path.T
    ax.loglog(weights, misfits, "o-", markersize=4, label="misfit over noise")
    ax.loglog(weights, errors, "s--", markersize=4, label="relative error of log nu")
    ax.axhline(trivial, color="C1", linestyle=":")
    ax.axhline(1.0, color="C0", linestyle=":", linewidth=1)
    ax.axvline(chosen, color="C5", linewidth=1)
    ax.invert_xaxis()
    ax.set(xlabel="weight of the prior")
    ax.grid(alpha=0.25)
    ax.legend()
