"""256 x 256 points of rational bicubic surfaces, 8 x 8 control points, float32, beside peers in one
group.

    OMP_NUM_THREADS=1 pytest packages/nurbs-diff/benchmarks --benchmark-columns=median,rounds

The number in brackets is the ratio to the fastest of the group. "gather" is the formulation of NURBSDiff
2.0, which is not on the package index: for every point the (p + 1)^2 control points around it are
gathered, weighted and summed, and autograd does the rest. It is re-written here, not that package itself.
Forward, both came out about 60 times as fast as geomdl on one and the same kind of machine; backward with
knots the re-written one is up to half as slow again, so take those ratios with that grain of salt.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from geomdl import NURBS
from torch import Tensor
from torch.testing import assert_close

from nurbs_diff import evaluate_surface, uniform_knots

N, DEGREE, POINTS = 8, 3, 256


class Surfaces(NamedTuple):
    control_points: Tensor
    weights: Tensor
    knots_u: Tensor
    knots_v: Tensor
    u: Tensor


def make_surfaces(batch: int) -> Surfaces:
    generator = torch.Generator().manual_seed(0)
    shape = (batch, N, N)
    return Surfaces(
        control_points=torch.rand(*shape, 3, generator=generator),
        weights=0.5 + torch.rand(shape, generator=generator),
        knots_u=uniform_knots(N, DEGREE),
        knots_v=uniform_knots(N, DEGREE),
        u=torch.linspace(0, 1, POINTS),
    )


@pytest.fixture(params=[1, 16], ids=["batch 1", "batch 16"])
def surfaces(request: pytest.FixtureRequest) -> Surfaces:
    return make_surfaces(request.param)


def ours(case: Surfaces) -> Tensor:
    return evaluate_surface(
        case.control_points, case.knots_u, case.knots_v, case.u, case.u, weights=case.weights
    )


def gather_basis(knots: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
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


def gather(case: Surfaces) -> Tensor:
    span_u, basis_u = gather_basis(case.knots_u.float(), case.u)
    span_v, basis_v = gather_basis(case.knots_v.float(), case.u)
    weights = case.weights.unsqueeze(-1)
    net = torch.cat([case.control_points * weights, weights], -1)
    offsets = torch.arange(-DEGREE, 1)
    rows = (span_u + offsets[:, None])[:, None, :, None]
    columns = (span_v + offsets[:, None])[None, :, None, :]
    near = net[:, rows, columns]  # (b, 4, 4, r, s, 4)
    scale = basis_u[:, None, :, None, None] * basis_v[None, :, None, :, None]
    homogeneous = (near * scale).sum((1, 2))
    return homogeneous[..., :3] / homogeneous[..., 3:]


METHODS = pytest.mark.parametrize("method", [ours, gather], ids=["ours", "gather"])


@METHODS
def test_forward(benchmark, surfaces: Surfaces, method) -> None:
    benchmark.group = f"forward, batch {len(surfaces.weights)}"
    points = benchmark(method, surfaces)
    # float32 parameters at knots, sums of 16 products
    assert_close(points, ours(surfaces), rtol=0, atol=2e-5)


@pytest.mark.parametrize("learns_knots", [False, True], ids=["fixed knots", "knots"])
@METHODS
def test_forward_and_backward(benchmark, surfaces: Surfaces, method, learns_knots: bool) -> None:
    benchmark.group = (
        f"forward + backward, batch {len(surfaces.weights)}{', with knots' if learns_knots else ''}"
    )
    upstream = torch.rand(
        len(surfaces.weights), POINTS, POINTS, 3, generator=torch.Generator().manual_seed(1)
    )
    names = ["control_points", "weights", *(["knots_u", "knots_v"] if learns_knots else [])]
    case = surfaces._replace(**{name: getattr(surfaces, name).clone().requires_grad_() for name in names})
    leaves = [getattr(case, name) for name in names]

    def run(evaluate) -> tuple[Tensor, ...]:
        return torch.autograd.grad(evaluate(case), leaves, upstream)

    gradients = benchmark(run, method)
    for gradient, want in zip(gradients, run(ours), strict=True):
        # 65536 summands in float32; a point exactly on a knot may fall into either span
        assert_close(gradient, want, rtol=0, atol=2e-3 * float(want.abs().max()))


def test_geomdl_forward(benchmark) -> None:
    surfaces = make_surfaces(1)
    benchmark.group = "forward, batch 1"
    points, weights = surfaces.control_points[0], surfaces.weights[0].unsqueeze(-1)
    peer = NURBS.Surface()
    peer.degree_u = peer.degree_v = DEGREE
    peer.set_ctrlpts(torch.cat([points * weights, weights], -1).reshape(-1, 4).tolist(), N, N)
    peer.knotvector_u = peer.knotvector_v = surfaces.knots_u.tolist()
    peer.sample_size = POINTS
    peer.evaluate()

    def evaluate() -> list[tuple[float, ...]]:
        peer.evaluate()
        return peer.evalpts

    result = torch.tensor(benchmark.pedantic(evaluate, rounds=3)).reshape(1, POINTS, POINTS, 3)
    assert_close(result, ours(surfaces), rtol=0, atol=2e-5)
