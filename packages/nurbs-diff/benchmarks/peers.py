"""The same surfaces in the hands of other programs.

`gather` is the formulation of NURBSDiff 2.0, which is not on the package index: for every point the (p + 1)^2
control points around it are gathered, weighted and summed, and autograd does the rest. It is re-written here,
not that package itself. torchnodo takes uniform knots and one surface at a time and has no knot gradient;
splinepy and geomdl have no gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import splinepy
import torch
import torchnodo
from geomdl import NURBS
from torch import Tensor

from nurbs_diff import SplineGrid, evaluate_surface, uniform_knots

N, DEGREE, POINTS = 8, 3, 256


class Surfaces(NamedTuple):
    control_points: Tensor
    weights: Tensor
    knots_u: Tensor
    knots_v: Tensor
    u: Tensor


def make_surfaces(batch: int, points: int = POINTS) -> Surfaces:
    generator = torch.Generator().manual_seed(0)
    shape = (batch, N, N)
    return Surfaces(
        control_points=torch.rand(*shape, 3, generator=generator),
        weights=0.5 + torch.rand(shape, generator=generator),
        knots_u=uniform_knots(N, DEGREE),
        knots_v=uniform_knots(N, DEGREE),
        u=torch.linspace(0, 1, points),
    )


def ours(case: Surfaces) -> Tensor:
    return evaluate_surface(
        case.control_points, case.knots_u, case.knots_v, case.u, case.u, weights=case.weights
    )


class Prepared:
    """Ours with the bases computed beforehand."""

    def __init__(self, case: Surfaces) -> None:
        self.grid = SplineGrid([case.knots_u, case.knots_v], [case.u, case.u], degrees=DEGREE)

    def __call__(self, case: Surfaces) -> Tensor:
        return self.grid(case.control_points, weights=case.weights)


def _gather_basis(knots: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Spans and the four values at each parameter (The NURBS Book, algorithms A2.1 and A2.2)."""
    inner = knots.detach()[DEGREE + 1 : -DEGREE - 1]
    span = torch.searchsorted(inner.contiguous(), u, right=True) + DEGREE
    values = [torch.ones_like(u)]
    for d in range(1, DEGREE + 1):
        saved = torch.zeros_like(u)
        raised = []
        for r in range(d):
            right, left = knots[span + r + 1], knots[span + 1 - d + r]
            share = values[r] / (right - left)
            raised.append(saved + (right - u) * share)
            saved = (u - left) * share
        values = [*raised, saved]
    return span, torch.stack(values)


class Gather:
    """The gather formulation; NURBSDiff too computes the bases beforehand, where knots are fixed."""

    def __init__(self, case: Surfaces) -> None:
        self.bases = self.compute_bases(case)

    @staticmethod
    def compute_bases(case: Surfaces) -> list[tuple[Tensor, Tensor]]:
        return [_gather_basis(knots.float(), case.u) for knots in (case.knots_u, case.knots_v)]

    def __call__(self, case: Surfaces) -> Tensor:
        return self.sum(case, self.bases)

    @staticmethod
    def sum(case: Surfaces, bases: list[tuple[Tensor, Tensor]]) -> Tensor:
        (span_u, basis_u), (span_v, basis_v) = bases
        weights = case.weights.unsqueeze(-1)
        net = torch.cat([case.control_points * weights, weights], -1)
        offsets = torch.arange(-DEGREE, 1)
        rows = (span_u + offsets[:, None])[:, None, :, None]
        columns = (span_v + offsets[:, None])[None, :, None, :]
        near = net[:, rows, columns]  # (b, 4, 4, r, s, 4)
        scale = basis_u[:, None, :, None, None] * basis_v[None, :, None, :, None]
        homogeneous = (near * scale).sum((1, 2))
        return homogeneous[..., :3] / homogeneous[..., 3:]


def gather(case: Surfaces) -> Tensor:
    return Gather.sum(case, Gather.compute_bases(case))


def nodo(case: Surfaces) -> Tensor:
    options = {
        "degree": (DEGREE, DEGREE),
        "order": (0, 0),
        "periodic": (False, False),
        "clamped": (True, True),
    }
    return torch.stack(
        [
            torchnodo.bspline_rational_surface_grid(case.u, case.u, net, weights, **options)[0, 0]
            for net, weights in zip(case.control_points, case.weights, strict=True)
        ]
    )


class Splinepy:
    """Surfaces of splinepy, made beforehand; `evaluate` is what is timed."""

    def __init__(self, case: Surfaces) -> None:
        knots = [case.knots_u.tolist(), case.knots_v.tolist()]
        degrees = [len(t) - n - 1 for t, n in zip(knots, case.weights.shape[1:], strict=True)]
        self.count = len(case.u)
        self.surfaces = [
            splinepy.NURBS(degrees, knots, net.mT.reshape(3, -1).mT.tolist(), w.mT.reshape(-1, 1).tolist())
            for net, w in zip(case.control_points.movedim(-1, 1), case.weights, strict=True)
        ]  # its control points run along u first
        u, v = torch.meshgrid(case.u.double(), case.u.double(), indexing="ij")
        self.queries = torch.stack([u, v], -1).reshape(-1, 2).numpy()

    def evaluate(self) -> Tensor:
        points = [torch.from_numpy(s.evaluate(self.queries, nthreads=1)) for s in self.surfaces]
        return torch.stack(points).reshape(len(points), self.count, self.count, 3)


class Geomdl:
    """One surface of geomdl."""

    def __init__(self, case: Surfaces) -> None:
        points, weights = case.control_points[0], case.weights[0].unsqueeze(-1)
        self.surface = NURBS.Surface()
        self.surface.degree_u = self.surface.degree_v = DEGREE
        self.surface.set_ctrlpts(torch.cat([points * weights, weights], -1).reshape(-1, 4).tolist(), N, N)
        self.surface.knotvector_u = self.surface.knotvector_v = case.knots_u.tolist()
        self.surface.sample_size = len(case.u)

    def evaluate(self) -> list[tuple[float, ...]]:
        self.surface.evaluate()
        return self.surface.evalpts
