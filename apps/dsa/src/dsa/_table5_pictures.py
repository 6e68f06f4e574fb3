"""The pictures of `dsa.table5`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dsa._cases import exact
from dsa._table5_numbers import DEGREES, MESHES, PRINTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from torch import Tensor

    from fem_diff import Solution
    from repro.context import Context


@dataclass(frozen=True)
class Material:
    """What the pictures show.

    Attributes:
        shown: solutions by degree on a mesh that is coarse enough to be seen.
        errors: by degree, rows of elements per direction, L2 error and nodal error of the solver.
        residuals: by degree, of the solver for the paper's source and for a hard problem.
        histories: nodal errors over the evaluations of the energy, by label.
        seconds: of CPU time that each run of the race had.
        cases: nodal errors by label of the case and of the method.
    """

    shown: dict[int, Solution]
    errors: dict[int, list[tuple[int, float, float]]]
    residuals: dict[int, tuple[list[float], list[float]]]
    histories: dict[str, list[float]]
    seconds: float
    cases: dict[str, dict[str, float]]


def draw(context: Context, elements: int, material: Material) -> None:
    """Draws all four."""
    coarse = material.shown[1].space.element_shape[0]
    axis = torch.linspace(0, 1, 24 * coarse + 1, dtype=torch.float64, device=context.device)
    u = {degree: solution.on_grid(axis, axis).cpu() for degree, solution in material.shown.items()}
    expected = exact(axis[:, None], axis).cpu()
    context.picture(
        "solution",
        f"The solution, and its distance from the exact one for degree 1, 2 and 3 on {coarse} x "
        f"{coarse} elements, few enough to be seen. Mind the scales: each degree has its own.",
        lambda figure: _draw_solution(figure, u, expected),
        size=(8.0, 7.0),
    )
    context.picture(
        "convergence",
        "Error of our solution against the number of elements per direction: in L2 (lines, with the order "
        "between the last two meshes; dotted: the expected d + 1) and at the nodes (rings). Crosses are the "
        "paper's figures for the three degrees, squares its PINN: they do not fall with the degree, because "
        "they are the optimiser's error and not the method's.",
        lambda figure: _draw_convergence(figure, material.errors),
        size=(8.0, 5.0),
    )
    context.picture(
        "history",
        f"On {elements} x {elements} elements. Left: residual over the steps of conjugate gradients with "
        "multigrid, from the solution on coarser meshes, for the paper's source (solid) and for a random "
        "source with inclusions of contrast 10,000 (dashed). Right: error at the nodes while L-BFGS "
        "minimises the energy, from zero (solid) and from a random start (dashed; independent standard "
        f"normal values, ended after {material.seconds:g} s of CPU time); the grey band holds the paper's "
        "figures.",
        lambda figure: _draw_history(figure, material.residuals, material.histories),
        size=(9.0, 4.2),
    )
    context.picture(
        "cases",
        "Root mean square error at the nodes for the paper's source, for a random one and for a variable "
        f"diffusivity, on {elements} x {elements} elements: solver (circles), energy minimised from zero "
        f"(triangles) and a PINN (squares) after {material.seconds:g} s of CPU time. As many steps as "
        "bring plain minimisation near the solver for the paper's source, an eigenvector, may leave it "
        "far off for the others.",
        lambda figure: _draw_cases(figure, material.cases),
        size=(8.0, 4.2),
    )


def _draw_solution(figure: Drawing, u: dict[int, Tensor], expected: Tensor) -> None:
    from matplotlib.colors import LogNorm

    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    image = axes[0, 0].imshow(u[3].T.numpy(), origin="lower", extent=(0, 1, 0, 1), cmap="viridis")
    figure.colorbar(image, ax=axes[0, 0], shrink=0.9)
    axes[0, 0].set_title("solution, degree 3")
    for degree, ax in zip(DEGREES, axes.flat[1:], strict=True):
        error = (u[degree] - expected).abs()
        top = float(error.max())
        low = 1e-3 * top
        values = error.clamp_min(low).T.numpy()
        image = ax.imshow(values, origin="lower", extent=(0, 1, 0, 1), norm=LogNorm(low, top), cmap="magma")
        figure.colorbar(image, ax=ax, shrink=0.9)
        ax.set_title(f"error, degree {degree}")
    for ax in axes.flat:
        ax.set_xticks([0, 0.5, 1])
        ax.set_yticks([0, 0.5, 1])


def _draw_convergence(figure: Drawing, errors: dict[int, list[tuple[int, float, float]]]) -> None:
    ax = figure.subplots()
    for degree, rows in errors.items():
        elements, l2, rms = np.array(rows).T
        colour = f"C{degree - 1}"
        order = np.log(l2[-2] / l2[-1]) / np.log(elements[-1] / elements[-2])
        ax.loglog(elements, l2, "o-", markersize=5, color=colour, label=f"degree {degree}, order {order:.2f}")
        ax.loglog(elements, rms, "o", markersize=4, fillstyle="none", color=colour)
        expected = 2 * l2[0] * (elements / elements[0]) ** -(degree + 1)
        ax.loglog(elements, expected, ":", linewidth=1.2, color=colour)
        # Side by side: the three degrees have nearly the same figures.
        printed = [PRINTED[degree, mesh][0] for mesh in MESHES]
        places = np.array(MESHES) * 1.08 ** (degree - 2)
        ax.loglog(places, printed, "x", markersize=8, markeredgewidth=2, color=colour)
    ax.loglog([], [], "x", markersize=8, markeredgewidth=2, color="C0", label="paper, degree 1, 2, 3")
    ax.loglog(MESHES, [PRINTED["PINN", mesh][0] for mesh in MESHES], "s", color="C3", label="paper, PINN")
    ticks = [row[0] for row in errors[1]]
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.minorticks_off()
    _finish(ax, "elements per direction", "error")
    ax.legend(loc="lower left", framealpha=0.7)


def _draw_history(
    figure: Drawing, residuals: dict[int, tuple[list[float], list[float]]], histories: dict[str, list[float]]
) -> None:
    left, right = figure.subplots(1, 2)
    for degree, (easy, hard) in residuals.items():
        left.semilogy(easy, color=f"C{degree - 1}", label=f"degree {degree}")
        left.semilogy(hard, "--", color=f"C{degree - 1}")
    _finish(left, "step of the solver", "relative residual")
    left.legend(framealpha=0.7)
    for k, (label, errors) in enumerate(histories.items()):
        right.loglog(
            np.arange(1, len(errors) + 1),
            errors,
            "--" if "random" in label else "-",
            color=f"C{k % 3}",
            label=label,
        )
    printed = [error for (method, _), (error, _) in PRINTED.items() if method != "PINN"]
    right.axhspan(min(printed), max(printed), alpha=0.35, color="C5", label="paper, all degrees")
    _finish(right, "evaluations of the energy", "error at the nodes")
    right.legend(loc="lower left", fontsize="small", framealpha=0.7)


def _finish(ax: Axes, x: str, y: str) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(alpha=0.25)


def _draw_cases(figure: Drawing, cases: dict[str, dict[str, float]]) -> None:
    ax = figure.subplots()
    methods = list(dict.fromkeys(method for found in cases.values() for method in found))
    for k, method in enumerate(methods):
        degree = next((d for d in DEGREES if str(d) in method), None)
        points = [(i, found[method]) for i, found in enumerate(cases.values()) if method in found]
        places, errors = np.array(points).T
        ax.semilogy(
            places + 0.08 * (k - (len(methods) - 1) / 2),
            errors,
            "o" if method.startswith("solved") else "^" if degree else "s",
            color="C3" if degree is None else f"C{degree - 1}",
            fillstyle="none" if "soft" in method else "full",
            label=method,
        )
    ax.set_xticks(range(len(cases)), list(cases))
    ax.set_xlim(-0.5, len(cases) - 0.5)
    ax.set_ylabel("error at the nodes")
    ax.grid(alpha=0.25, axis="y")
    ax.legend(ncols=1, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
