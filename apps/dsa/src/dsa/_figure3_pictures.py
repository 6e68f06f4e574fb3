"""The pictures of `dsa.figure3`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from repro.context import Context

Maps = tuple["Tensor", "Tensor", "Tensor", np.ndarray]


def draw(
    context: Context, *, scored: Maps, published: tuple[Tensor, Tensor, Tensor], curve: np.ndarray
) -> None:
    """Draws the paper's map, held-out maps from easy to hard, and the learning curve."""
    context.picture(
        "published",
        "The paper's map, omega = (-0.26, -0.77, -0.37, -0.92): logarithm of the diffusivity, u of the "
        "network, u of the solver, and the first less the second. u is 1 on the left and 0 on the right.",
        lambda figure: _rows(figure, [[part[0] for part in published]], ["the paper's map"]),
        size=(10.0, 2.9),
    )
    log_nu, network, solver, deviations = scored
    order = np.argsort(deviations)
    places = {
        "median": order[len(order) // 2],
        "90 %": order[int(0.9 * (len(order) - 1))],
        "worst": order[-1],
    }
    context.picture(
        "held_out",
        "The same for three of the held-out maps: the one with the median deviation, the one at the 90th "
        "percentile, and the worst. Mind that every difference has its own scale.",
        lambda figure: _rows(
            figure, [[part[k] for part in (log_nu, network, solver)] for k in places.values()], list(places)
        ),
        size=(10.0, 7.8),
    )
    context.picture(
        "learning",
        "Left: over the steps, greatest deviation of a held-out map from the solver (median, 90th "
        "percentile, worst; no mirror images), and the median energy above the least, relative. Right: "
        "the deviations of all held-out maps at the end, in order.",
        lambda figure: _learning(figure, curve, np.sort(deviations)),
        size=(9.0, 3.9),
    )


def _rows(figure: Figure, rows: list[list[Tensor]], labels: list[str]) -> None:
    grid = figure.subplots(len(rows), 4, squeeze=False, sharex=True, sharey=True)
    for axes, (log_nu, network, solver), label in zip(grid, rows, labels, strict=True):
        difference = network - solver
        top = float(difference.abs().max())
        _map(axes[0], log_nu, cmap="magma")
        _map(axes[1], network, vmin=0, vmax=1)
        _map(axes[2], solver, vmin=0, vmax=1)
        _map(axes[3], difference, cmap="RdBu_r", vmin=-top, vmax=top)
        axes[0].set_ylabel(label)
    for ax, title in zip(grid[0], ("log nu", "network", "solver", "difference"), strict=True):
        ax.set_title(title)


def _map(ax: Axes, values: Tensor, **style: object) -> None:
    image = ax.imshow(values.cpu().numpy().T, origin="lower", extent=(0, 1, 0, 1), **style)  # pyright: ignore[reportArgumentType]
    ax.figure.colorbar(image, ax=ax, shrink=0.8)
    ax.set(xticks=[0, 1], yticks=[0, 1])


def _learning(figure: Figure, curve: np.ndarray, deviations: np.ndarray) -> None:
    left, right = figure.subplots(1, 2)
    steps, *parts = curve.T
    labels = ("median", "90 %", "worst", "energy above the least")
    for k, (values, label) in enumerate(zip(parts, labels, strict=True)):
        left.loglog(steps, values, "--" if k == 3 else "o-", markersize=3, color=f"C{k}", label=label)
    left.set(xlabel="step", ylabel="deviation, energy")
    left.legend(fontsize="small")
    right.semilogy(np.linspace(0, 100, deviations.size), deviations, "o", markersize=3)
    right.axhline(0.01, color="C5", linestyle=":", label="the paper, its one map")
    right.set(xlabel="share of the maps, %", ylabel="greatest deviation")
    right.legend(fontsize="small")
    for ax in (left, right):
        ax.grid(alpha=0.25)
