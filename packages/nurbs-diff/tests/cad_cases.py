"""Splines of all kinds that CAD formats hold, each of another size so that they can be told apart."""

from __future__ import annotations

import torch
from nurbs_cases import clamped
from torch import Tensor

from nurbs_diff import Curve, Surface, uniform_knots


def cad_splines(seed: int = 5) -> list[Curve | Surface]:
    """Curves, then surfaces; clamped, as OpenCASCADE wants them for edges."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    def net(*shape: int) -> Tensor:
        """Bumps over a grid: the edges of a face must not cross."""
        axes = [torch.arange(n, dtype=torch.float64) for n in shape]
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
        flat = torch.cat([grid, torch.zeros(*shape, 3 - len(shape), dtype=torch.float64)], -1)
        return 10 * (flat + 0.6 * numbers(*shape, 3))

    return [
        Curve(net(6), clamped([0.2, 0.7], 3)),
        Curve(net(5), clamped([0.5, 0.5], 2), numbers(5) + 0.5),
        Curve(net(4), uniform_knots(4, degree=1, domain=(-2.0, 3.0))),
        Surface(net(5, 4), clamped([0.375], 3), clamped([0.3], 2)),
        Surface(
            net(3, 6),
            uniform_knots(3, degree=2, domain=(1.0, 4.0)),
            clamped([0.4, 0.4], 3),
            numbers(3, 6) + 0.5,
        ),
        Surface(net(7, 2), clamped([0.2, 0.6], 4), uniform_knots(2, degree=1)),
        Surface(net(4, 7), clamped([], 3), clamped([0.25, 0.5, 0.75], 3), numbers(4, 7) + 0.5),
    ]


def parameters(spline: Curve | Surface, count: int) -> list[Tensor]:
    """Equally spaced over the domain of each direction."""
    knots = [spline.knots] if isinstance(spline, Curve) else [spline.knots_u, spline.knots_v]
    return [torch.linspace(float(t[0]), float(t[-1]), count, dtype=torch.float64) for t in knots]
