"""Equations 1 to 3: k-splines of real intensity profiles, and their weak Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from dsa.paper import PAPER
from kspline_core import KSpline, fit
from kspline_core.torch import kspline
from repro import photographs
from repro.experiment import Band, Experiment, Figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from repro.context import Context

PHOTOGRAPHS = ("coins.png", "camera.png")
DEGREES = (0, 1)
STEP = 1e-6
"""Of the finite differences; grey values lie in [0, 1], so their rounding leaves about eps / STEP = 2e-10."""


@dataclass(frozen=True)
class Settings:
    """Settings of `dsa.signal`."""

    pieces: int = 13
    """intervals of each spline; the six coins and the seven gaps of the first profile make 13"""
    rows: tuple[int, int] = (130, 200)
    """the row of each photograph that is shown and measured"""
    further_rows: int = 0
    """as many more rows of each photograph, evenly spaced, on which the Jacobian is checked"""


@dataclass(frozen=True)
class Check:
    """How one profile's weak Jacobian compares with finite differences of the forward pass.

    Attributes:
        jacobian: by automatic differentiation through `kspline_core.torch.kspline`.
        deviation: greatest difference over the samples at which no breakpoint moved.
        idempotence: greatest entry of |J^2 - J|.
        still: share of the samples at which no breakpoint moved.
    """

    jacobian: np.ndarray
    deviation: float
    idempotence: float
    still: float


def check_jacobian(y: np.ndarray, pieces: int, degree: int) -> Check:
    """Differentiates the fit of `y`, shape (n,), both ways."""
    jacobian = torch.func.jacrev(lambda signal: kspline(signal, pieces, degree))(torch.from_numpy(y)).numpy()
    around = fit(np.stack([y + STEP * np.eye(y.size), y - STEP * np.eye(y.size)]), pieces, degree)
    still = (around.breakpoints == fit(y, pieces, degree).breakpoints).all(axis=(0, 2))
    differences = (around.values[0] - around.values[1]).T / (2 * STEP)
    return Check(
        jacobian=jacobian,
        deviation=float(np.abs(jacobian - differences)[:, still].max(initial=0.0)),
        idempotence=float(np.abs(jacobian @ jacobian - jacobian).max()),
        still=float(still.mean()),
    )


def reference_cost(y: np.ndarray, pieces: int, degree: int) -> float:
    """The least cost by textbook dynamic programming with prefix sums, independent of `kspline_core`."""
    n = y.size
    x = np.arange(n) - (n - 1) / 2
    z = y - y.mean()
    moments = [np.concatenate([[0], np.cumsum(f)]) for f in (np.ones(n), x, x * x, z, x * z, z * z)]
    best = np.full((pieces + 1, n + 1), np.inf)
    best[0, 0] = 0
    for end in range(1, n + 1):
        size, sx, sxx, sz, sxz, szz = (m[end] - m[:end] for m in moments)
        cost = szz - sz**2 / size
        if degree == 1:
            spread = np.where(size > 1, sxx - sx**2 / size, 1)
            cost = np.where(size > 2, cost - (sxz - sx * sz / size) ** 2 / spread, 0)
        best[1:, end] = (best[:-1, :end] + cost).min(axis=1)
    return float(best[pieces, n])


def relative_error(pairs: list[tuple[np.ndarray, KSpline]]) -> float:
    """Root of the summed squared residuals over the summed squared distances from each row's mean."""
    residual = sum(float(spline.cost.sum()) for _, spline in pairs)
    spread = sum(float(((y - y.mean(-1, keepdims=True)) ** 2).sum()) for y, _ in pairs)
    return float(np.sqrt(residual / spread))


def run(settings: Settings, context: Context) -> Mapping[str, float]:
    """Fits the profiles and all rows of both photographs, and checks the Jacobian of the profiles."""
    images = [photographs.load(name) for name in PHOTOGRAPHS]
    for name, image, row in zip(PHOTOGRAPHS, images, settings.rows, strict=True):
        low, high = _strip(image), len(image) - 1 - _strip(image)
        if not low <= row <= high:
            raise ValueError(
                f"`rows`: the row of {name} must be from {low} to {high}, to be shown; got {row}."
            )
    profiles = [image[row] for image, row in zip(images, settings.rows, strict=True)]
    checked = profiles + [
        image[row] for image in images for row in _spread(len(image), settings.further_rows)
    ]
    report = context.progress("Jacobians")
    measured: dict[str, float] = {}
    splines: list[list[KSpline]] = []
    rows: list[list[KSpline]] = []
    jacobians: list[np.ndarray] = []
    for degree in DEGREES:
        checks = []
        for i, y in enumerate(checked, 1):
            checks.append(check_jacobian(y, settings.pieces, degree))
            report(degree * len(checked) + i, len(DEGREES) * len(checked), checks[-1].deviation)
        splines.append([fit(y, settings.pieces, degree) for y in profiles])
        rows.append([fit(image, settings.pieces, degree) for image in images])
        jacobians.append(checks[0].jacobian)
        costs = [float(spline.cost) for spline in splines[-1]]
        references = [reference_cost(y, settings.pieces, degree) for y in profiles]
        measured |= {
            f"error_{degree}": relative_error(list(zip(profiles, splines[-1], strict=True))),
            f"rows_{degree}": relative_error(list(zip(images, rows[-1], strict=True))),
            f"jacobian_{degree}": max(check.deviation for check in checks),
            f"still_{degree}": float(np.mean([check.still for check in checks])),
            f"idempotence_{degree}": max(check.idempotence for check in checks),
            f"oracle_{degree}": max(
                abs(ours / theirs - 1) for ours, theirs in zip(costs, references, strict=True)
            ),
        }
        context.log(f"degree {degree}: relative error {measured[f'error_{degree}']:.4f} on the profiles")
    for i, (name, image, row) in enumerate(zip(PHOTOGRAPHS, images, settings.rows, strict=True)):
        _draw_profile(context, name.removesuffix(".png"), image, row, [by_degree[i] for by_degree in splines])
    _draw_jacobians(context, [by_degree[0] for by_degree in splines], jacobians)
    _draw_rows(context, images[1], [by_degree[1] for by_degree in rows], settings.rows[1])
    return measured


def _spread(height: int, count: int) -> list[int]:
    return [round(height * (i + 0.5) / count) for i in range(count)]


def _strip(image: np.ndarray) -> int:
    """How many rows of the photograph are shown on either side: so many that its pixels come out square."""
    return image.shape[1] // 11


def _draw_profile(context: Context, name: str, image: np.ndarray, row: int, splines: list[KSpline]) -> None:
    """The photograph around the row, the profile with its splines, and what they leave, all on one axis."""
    y = image[row]
    pieces = splines[0].pieces
    above = _strip(image)

    def draw(canvas: Canvas) -> None:
        panels: list[Axes] = list(
            canvas.subplots(4, 1, sharex=True, gridspec_kw={"height_ratios": [1.5, 2, 2, 1.3]})
        )
        strip, *fits, rest = panels
        strip.imshow(
            image[row - above : row + above + 1], cmap="gray", vmin=0, vmax=1, aspect="auto",
            extent=(-0.5, y.size - 0.5, row + above + 0.5, row - above - 0.5),
        )  # fmt: skip
        strip.axhline(row, color="C1", linewidth=1.5)
        strip.set(yticks=[row], ylabel="row")
        for axes, spline, colour in zip(fits, splines, ("C1", "C2"), strict=True):
            axes.plot(y, color="C5", linewidth=0.9)
            for ends, coefficients in zip(pairwise(spline.breakpoints), spline.coefficients, strict=True):
                j = np.array(ends) - 0.5
                values = np.polynomial.polynomial.polyval(j - ends[0], coefficients)
                axes.plot(j, values, color=colour, linewidth=2.2)
                axes.axvline(j[0], color=colour, linewidth=0.8, alpha=0.45)
            axes.set(ylabel="grey value", ylim=(-0.03, 1.03))
            axes.set_title(f"{pieces} pieces of degree {spline.degree}", loc="left", fontsize="medium")
            rest.plot(y - spline.values, color=colour, linewidth=0.9, label=f"degree {spline.degree}")
        rest.set(xlabel="column", ylabel="residual", xlim=(-0.5, y.size - 0.5))
        rest.legend(loc="lower right", bbox_to_anchor=(1.0, 0.95), ncols=2, fontsize="small", frameon=False)
        canvas.align_ylabels(panels)

    context.picture(
        f"profile_{name}",
        f"Row {row} of the photograph `{name}` (line), its grey values (grey) and the best {pieces} pieces "
        "of degree 0 and 1. Breakpoints and coefficients are jointly optimal; nobody was told where the "
        "edges are.",
        draw,
        size=(8.0, 7.2),
    )


def _draw_jacobians(context: Context, splines: list[KSpline], jacobians: list[np.ndarray]) -> None:
    """The Jacobians of the first profile, entries times the length of their piece: all blocks show."""

    def draw(canvas: Canvas) -> None:
        panels: list[Axes] = list(canvas.subplots(1, 2, sharey=True))
        for axes, spline, jacobian in zip(panels, splines, jacobians, strict=True):
            lengths = np.diff(spline.breakpoints)
            piece = np.repeat(np.arange(spline.pieces), lengths)
            scaled = np.where(np.equal.outer(piece, piece), jacobian * lengths[piece], np.nan)
            image = axes.imshow(scaled, cmap="viridis", vmin=-2, vmax=4, interpolation="nearest")
            axes.set(xlabel="signal, sample t", title=f"degree {spline.degree}")
            if axes is panels[-1]:
                canvas.colorbar(image, ax=panels, label="|I| J(s, t)", shrink=0.85)
        panels[0].set_ylabel("spline, sample s")

    context.picture(
        "jacobian",
        "The weak Jacobians of the two splines of `coins`, each entry times the length |I| of its piece. "
        "Every piece is a block of its own and all else is exactly zero (equation 3). For degree 0 a block "
        "is constant, the mean; for degree 1 it is the projector onto straight lines.",
        draw,
        size=(8.0, 3.9),
    )


def _draw_rows(context: Context, image: np.ndarray, rows: list[KSpline], row: int) -> None:
    """The photograph, and every row of it replaced by its spline."""
    pieces = rows[0].pieces
    titles = ("photograph", *(f"rows of degree {spline.degree}" for spline in rows))

    def draw(canvas: Canvas) -> None:
        panels: list[Axes] = list(canvas.subplots(1, 3))
        for axes, title, shown in zip(panels, titles, (image, *(s.values for s in rows)), strict=True):
            axes.imshow(shown, cmap="gray", vmin=0, vmax=1)
            axes.axhline(row, color="C1", linewidth=1)
            axes.set_title(title)
            axes.set_axis_off()

    context.picture(
        "rows",
        f"The photograph `camera` and each of its {len(image)} rows by itself replaced by its best spline of "
        f"{pieces} pieces, fitted as one batch. The line marks the row of `profile_camera`.",
        draw,
        size=(9.0, 3.4),
    )


_WHY_OPTIMUM = (
    "the best spline of a fixed signal is one number; the width allows for another decoding of the photograph"
)
_NOT_IN_PAPER = "No published figure: the paper states the theorem and shows no one-dimensional signal."


def _figures(degree: int, error: float, rows: float) -> tuple[Figure, ...]:
    title = f"degree {degree}"
    return (
        Figure(
            key=f"error_{degree}",
            label=f"{title}: relative error on the two profiles",
            cause=f"{_NOT_IN_PAPER} Root of the squared residuals over the squared distances from the mean.",
            smoke=Band(error - 0.001, error + 0.001, _WHY_OPTIMUM),
        ),
        Figure(
            key=f"rows_{degree}",
            label=f"{title}: relative error, each row of both photographs",
            cause=_NOT_IN_PAPER,
            smoke=Band(rows - 0.001, rows + 0.001, _WHY_OPTIMUM),
        ),
        Figure(
            key=f"jacobian_{degree}",
            label=f"{title}: weak Jacobian against finite differences, greatest deviation",
            cause=f"{_NOT_IN_PAPER} Over the samples at which no breakpoint moves.",
            smoke=Band(
                0.0, 1e-8, "exact but for the differences' rounding: eps / step = 2e-10, some 50-fold margin"
            ),
        ),
        Figure(
            key=f"still_{degree}",
            label=f"{title}: share of samples that can move by 1e-6 without moving a breakpoint",
            cause=_NOT_IN_PAPER,
            smoke=Band(0.95, 1.0, "generic signals have a unique best partition; a margin for near ties"),
        ),
        Figure(
            key=f"idempotence_{degree}",
            label=f"{title}: greatest entry of |J J - J|",
            cause=f"{_NOT_IN_PAPER} Zero for a projector.",
            smoke=Band(0.0, 1e-13, "a projector but for rounding: n eps = 1e-13"),
        ),
        Figure(
            key=f"oracle_{degree}",
            label=f"{title}: cost against textbook dynamic programming, relative difference",
            cause=_NOT_IN_PAPER,
            smoke=Band(0.0, 1e-10, "both are exact; the textbook's prefix sums lose up to n^2 eps = 6e-11"),
        ),
    )


EXPERIMENT = Experiment(
    name="dsa.signal",
    title="k-splines of intensity profiles and their weak Jacobian",
    about=(
        "Rows of two photographs are approximated by the best piecewise constant and piecewise linear signal "
        "(equation 1), breakpoints included, and the weak Jacobian of that map (Theorem 1) is compared with "
        "finite differences. The paper gives no numbers for this; the figures say how far the implementation "
        "is from what the theory demands. The pictures show the profiles with their splines and residuals, "
        "the block-diagonal Jacobians, and a photograph of which every row is a spline."
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(),
        "quick": Settings(pieces=25, further_rows=8),
        "paper": Settings(pieces=50, further_rows=32),
    },
    minutes={"smoke": 0.2, "quick": 0.5, "paper": 3.0},
    figures=(*_figures(0, error=0.2296, rows=0.2169), *_figures(1, error=0.2211, rows=0.1935)),
    run=run,
    data=lambda: photographs.checksums(*PHOTOGRAPHS),
    seeded=False,
    packages=("kspline-core", "torch", "scikit-image"),
)
