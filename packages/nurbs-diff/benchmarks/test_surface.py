"""256 x 256 points of rational bicubic surfaces, 8 x 8 control points, float32, beside peers in one group.

    OMP_NUM_THREADS=1 pytest packages/nurbs-diff/benchmarks --benchmark-columns=min,median,rounds

The table at the end says how many times as long as ours each peer takes, and whether the re-written gather
formulation stands to the other peers as NURBSDiff does.
"""

from __future__ import annotations

import pytest
import torch
from peers import POINTS, Gather, Geomdl, Prepared, Splinepy, Surfaces, gather, make_surfaces, nodo, ours
from torch import Tensor
from torch.testing import assert_close

from nurbs_diff import evaluate_surface

BATCH = pytest.mark.parametrize("batch", [1, 16], ids=["batch 1", "batch 16"])
ROUNDS = {"gather": 3, "torchnodo": 3, "splinepy": 3, "geomdl": 1}


@BATCH
@pytest.mark.parametrize("method", ["gather", "torchnodo", "splinepy", "geomdl", "ours"])
def test_forward(timed, method: str, batch: int) -> None:
    if (method, batch) == ("geomdl", 16):
        pytest.skip("geomdl takes 16 times as long as for one surface")
    case = make_surfaces(batch)
    calls = {"gather": gather, "torchnodo": nodo, "ours": ours}
    if method in calls:
        evaluate = lambda: calls[method](case)  # noqa: E731  # what is timed
    else:
        evaluate = {"splinepy": Splinepy, "geomdl": Geomdl}[method](case).evaluate
    points = timed(f"forward, batch {batch}", method, evaluate, rounds=ROUNDS.get(method, 200 // batch))
    check_points(points, case)


@BATCH
@pytest.mark.parametrize("method", ["gather", "ours"])
def test_forward_with_bases_of_before(timed, method: str, batch: int) -> None:
    case = make_surfaces(batch)
    evaluate = {"gather": Gather, "ours": Prepared}[method](case)
    group = f"forward, bases computed beforehand, batch {batch}"
    points = timed(group, method, lambda: evaluate(case), rounds=ROUNDS.get(method, 200 // batch))
    check_points(points, case)


def check_points(points: object, case: Surfaces) -> None:
    points = torch.as_tensor(points).reshape(len(case.control_points), POINTS, POINTS, 3).float()
    # float32 parameters at knots, sums of 16 products
    assert_close(points, ours(case), rtol=0, atol=2e-5)


@BATCH
@pytest.mark.parametrize("knots", ["", " with knots", ", bases computed beforehand"])
@pytest.mark.parametrize("method", ["gather", "torchnodo", "ours"])
def test_forward_and_backward(timed, batch: int, knots: str, method: str) -> None:
    if knots and method == "torchnodo":
        pytest.skip("torchnodo has no knot gradient, and computes its bases in the call")
    surfaces = make_surfaces(batch)
    upstream = torch.rand(batch, POINTS, POINTS, 3, generator=torch.Generator().manual_seed(1))
    names = ["control_points", "weights", *(["knots_u", "knots_v"] if "with knots" in knots else [])]
    case = surfaces._replace(**{name: getattr(surfaces, name).clone().requires_grad_() for name in names})
    leaves = [getattr(case, name) for name in names]
    if "beforehand" in knots:
        evaluate = {"gather": Gather, "ours": Prepared}[method](case)
    else:
        evaluate = {"gather": gather, "torchnodo": nodo, "ours": ours}[method]

    def run(evaluate) -> tuple[Tensor, ...]:
        return torch.autograd.grad(evaluate(case), leaves, upstream)

    group = f"forward + backward{knots}, batch {batch}"
    gradients = timed(group, method, lambda: run(evaluate), rounds=ROUNDS.get(method, 100 // batch))
    for gradient, want in zip(gradients, run(ours), strict=True):
        # 65536 summands in float32; a point exactly on a knot may fall into either span
        assert_close(gradient, want, rtol=0, atol=2e-3 * float(want.abs().max()))


def test_values_equal_those_of_splinepy() -> None:
    generator = torch.Generator().manual_seed(2)
    for knots_u, knots_v in (
        ([0.0] * 4 + [0.25, 0.5, 0.5, 0.75] + [1.0] * 4, [0.0] * 4 + [0.3, 0.3, 0.3, 0.8] + [1.0] * 4),
        ([0.0] * 3 + [0.1, 0.4, 0.4, 0.6, 0.7] + [1.0] * 3, [0.0] * 5 + [0.2, 0.2, 0.9] + [1.0] * 5),
    ):
        points = torch.rand(1, 8, 8, 3, generator=generator, dtype=torch.float64) - 0.5
        weights = 0.1 + 10 * torch.rand(1, 8, 8, generator=generator, dtype=torch.float64)
        t = torch.tensor(knots_u, dtype=torch.float64), torch.tensor(knots_v, dtype=torch.float64)
        u = torch.linspace(0, 1, 41, dtype=torch.float64)
        want = Splinepy(Surfaces(points, weights, *t, u)).evaluate()
        values = evaluate_surface(points, *t, u, u, weights=weights)
        assert_close(values, want, rtol=0, atol=1e-13 * float(want.abs().max()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_forward_and_backward_on_a_gpu_against_its_memory(timed) -> None:
    case = Surfaces(*(x.cuda() for x in make_surfaces(16, 1024)))
    leaves = [case.control_points.requires_grad_(), case.weights.requires_grad_()]
    upstream = torch.rand(16, 3, 1024, 1024, device="cuda").movedim(1, -1)
    copied = torch.empty_like(upstream)

    def copy() -> None:  # reads and writes; ours has to write the points and to read them and their gradient
        copied.copy_(upstream)
        torch.cuda.synchronize()

    def run() -> None:
        torch.autograd.grad(ours(case), leaves, upstream)
        torch.cuda.synchronize()

    group = (
        "1024 x 1024 on a GPU, batch 16, forward + backward (copying the points moves 2/3 of what must move)"
    )
    timed(group, "copy", copy, rounds=20)
    timed(group, "ours", run, rounds=20)
