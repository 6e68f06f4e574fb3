"""Draws the pictures of the README and of the documentation: one for each package, all of it computed here.

Run `uv run python docs/picture.py`; it writes to `docs/_static`, for each scheme, the README's
`packages-light.png` of all packages and `kspline-core-light.webp` of each.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.colors import LightSource
from matplotlib.figure import Figure

import fem_diff
import fuzzy_metaballs
import implicit_seg
import kspline_core
import nurbs_diff
from repro import style

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

STATIC = Path(__file__).parent / "_static"


def signal() -> Callable[[Axes], None]:
    """A noisy signal with jumps and kinks, and its best approximation by six lines."""
    generator = np.random.default_rng(3)
    x = np.linspace(0, 1, 240)
    clean = np.where(x < 0.25, 3 * x, np.where(x < 0.55, 1.6 - 2 * x, np.where(x < 0.8, 1.1, 2.6 - 2.5 * x)))
    y = clean + 0.09 * generator.standard_normal(len(x))
    fit = kspline_core.fit(y, pieces=4, degree=1)

    def draw(axes: Axes) -> None:
        axes.plot(x, y, ".", color="C5", markersize=3)
        for start, stop in zip(fit.breakpoints[:-1], fit.breakpoints[1:], strict=True):
            axes.plot(x[start:stop], fit.values[start:stop], color="C1", linewidth=2.5)
        axes.set_box_aspect(1)

    return draw


def surface() -> Callable[[Axes], None]:
    """A creased surface and the knots that its fit has chosen."""
    u = torch.linspace(0, 1, 96, dtype=torch.float64)
    x, y = torch.meshgrid(u, u, indexing="ij")
    height = (x + 0.3 * torch.sin(3 * y) - 0.55).abs().sqrt() + 0.3 * y
    fit = nurbs_diff.fit_surface(torch.stack([x, y, height], dim=-1), size=(10, 10), degree=3)
    values = fit.values.numpy()

    def draw(axes: Axes) -> None:
        light = LightSource(azdeg=60, altdeg=50)
        axes.plot_surface(  # pyright: ignore[reportAttributeAccessIssue]  (three-dimensional axes)
            values[..., 0], values[..., 1], values[..., 2],
            cmap="viridis", lightsource=light, rcount=96, ccount=96, linewidth=0, antialiased=False,
        )  # fmt: skip
        axes.set_box_aspect((1, 1, 0.55), zoom=1.45)  # pyright: ignore
        axes.view_init(38, -60)  # pyright: ignore[reportAttributeAccessIssue]

    return draw


def boundary() -> Callable[[Axes], None]:
    """A coarse mask of pixels and the zero set of a quadratic spline with as many coefficients as needed."""
    centre = (torch.arange(28) + 0.5) / 28
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    angle, radius = torch.atan2(y - 0.5, x - 0.5), torch.hypot(y - 0.5, x - 0.5)
    mask = (radius < 0.3 + 0.1 * torch.cos(3 * angle + 0.5)).float()[None, None]
    net = torch.zeros(1, 1, 14, 14, requires_grad=True)
    optimizer = torch.optim.Adam([net], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = implicit_seg.mask_mse_loss(implicit_seg.evaluate_spline(net, (28, 28), degree=2), mask)
        loss.backward()
        optimizer.step()
    fine = implicit_seg.evaluate_spline(net.detach(), (400, 400), degree=2)[0, 0].numpy()

    def draw(axes: Axes) -> None:
        axes.imshow(mask[0, 0], cmap="gray", alpha=0.35, extent=(-0.5, 27.5, 27.5, -0.5))
        along = np.linspace(0, 27, 400)
        axes.contour(along, along, fine, levels=[0.0], colors=["C1"], linewidths=2.5)

    return draw


def diffusion() -> Callable[[Axes], None]:
    """Heat through a material whose conductivity varies by a factor of a hundred."""
    space = fem_diff.LagrangeSpace(fem_diff.unit_square(64), degree=2)
    generator = torch.Generator().manual_seed(5)
    waves = torch.randn(12, 3, generator=generator, dtype=torch.float64)

    def diffusivity(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        phase = 2 * math.pi * (2 * waves[:, 0] * x[..., None] + 2 * waves[:, 1] * y[..., None])
        return (1.5 * torch.sin(phase + 6 * waves[:, 2]).sum(-1) / 2).clamp(-2.3, 2.3).exp()

    solution = fem_diff.solve(fem_diff.Poisson(space, diffusivity=diffusivity, source=1.0))

    def draw(axes: Axes) -> None:
        axes.imshow(solution.u, cmap="magma", extent=(0, 1, 0, 1))
        levels = np.linspace(float(solution.u.min()), float(solution.u.max()), 9)[1:-1]
        axes.contour(solution.u, levels, extent=(0, 1, 1, 0), colors="white", linewidths=0.6, alpha=0.7)

    return draw


def shape() -> Callable[[Axes], None]:
    """A figure of nine Gaussians, as depth."""
    parts = [
        ((0.0, 0.0, 0.0), (0.42, 0.5, 0.38)),
        ((0.0, 0.78, 0.05), (0.34, 0.32, 0.32)),
        ((-0.3, 1.12, 0.0), (0.13, 0.14, 0.09)),
        ((0.3, 1.12, 0.0), (0.13, 0.14, 0.09)),
        ((0.0, 0.68, 0.34), (0.14, 0.11, 0.12)),
        ((-0.52, 0.15, 0.12), (0.24, 0.14, 0.14)),
        ((0.52, 0.15, 0.12), (0.24, 0.14, 0.14)),
        ((-0.28, -0.56, 0.2), (0.18, 0.22, 0.24)),
        ((0.28, -0.56, 0.2), (0.18, 0.22, 0.24)),
    ]
    means = np.array([centre for centre, _ in parts])
    covariances = np.array([np.diag(np.square(np.array(axes) * 0.62)) for _, axes in parts])
    bear = fuzzy_metaballs.FuzzyMetaballs.from_covariances(means, covariances)
    camera = fuzzy_metaballs.Camera.from_fov(220, 220, fov=0.7)
    pose = fuzzy_metaballs.look_at([1.3, 0.9, 3.4], [0.0, 0.25, 0.0])
    image = fuzzy_metaballs.render(bear, camera, pose)
    alpha = np.clip(np.asarray(image.alpha), 0, 1)
    depth = np.asarray(image.depth)

    def draw(axes: Axes) -> None:
        inside = depth[alpha > 0.5]
        axes.imshow(depth, cmap="viridis_r", alpha=alpha, vmin=inside.min(), vmax=inside.max())

    return draw


PANELS = {
    "kspline-core": signal,
    "nurbs-diff": surface,
    "implicit-seg": boundary,
    "fem-diff": diffusion,
    "fuzzy-metaballs": shape,
}


def panel(figure: Figure, place: tuple[int, int, int], name: str, draw: Callable[[Axes], None]) -> Axes:
    """Draws the picture of one package into a place of a figure."""
    axes = figure.add_subplot(*place, projection="3d" if name == "nurbs-diff" else None)
    draw(axes)
    axes.set_axis_off()
    return axes


def main() -> None:
    panels = {name: make() for name, make in PANELS.items()}
    for scheme in style.SCHEMES:
        with style.drawing(scheme):
            figure = Figure(figsize=(15, 3.4), layout="constrained")
            for k, (name, draw) in enumerate(panels.items(), start=1):
                panel(figure, (1, len(panels), k), name, draw).set_title(name)
            figure.savefig(STATIC / f"packages-{scheme}.png", dpi=120)
            for name, draw in panels.items():
                figure = Figure(figsize=(3.2, 3.2), layout="constrained")
                panel(figure, (1, 1, 1), name, draw)
                figure.savefig(STATIC / f"{name}-{scheme}.webp", dpi=150, transparent=True)


if __name__ == "__main__":
    main()
