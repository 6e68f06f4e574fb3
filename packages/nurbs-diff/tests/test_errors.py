"""What bad input is told by the package itself."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from nurbs_cases import clamped

from nurbs_diff import (
    basis_functions,
    close_net,
    evaluate_curve,
    evaluate_surface,
    fit_surface,
    uniform_knots,
)

pytestmark = pytest.mark.usefixtures("unchecked")

KNOTS = clamped([0.25, 0.5, 0.75], 2)
U = torch.linspace(0, 1, 5, dtype=torch.float64)
POINTS = torch.ones(6, 6, 3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("knots", "degree", "u", "message"),
    [
        (KNOTS.flip(0), 2, U, r"non-decreasing; knots\[2\] = 1 > knots\[3\] = 0.75. Sort"),
        (KNOTS[:5], 2, U, r"at least 2 \* degree \+ 2 = 6 knots for degree 2; got 5"),
        (
            clamped([0.5] * 4, 2),
            2,
            U,
            r"at most degree \+ 1 = 3 times; knots\[3\] to knots\[6\] all equal 0.5",
        ),
        (torch.tensor([0.0, 1, 1, 2]), 1, U, r"empty domain: knots\[1\] = knots\[2\] = 1"),
        (torch.tensor([0.0, 0, math.nan, 1, 1]), 1, U, r"`knots` must be finite; knots\[2\] = nan"),
        (torch.tensor([0.0, 0, 1, math.inf]), 1, U, r"`knots` must be finite; knots\[3\] = inf"),
        (KNOTS[0], 2, U, r"`knots` must have one dimension or more; got a number"),
        (
            torch.stack([KNOTS, KNOTS.flip(0)]),
            2,
            U,
            r"`knots\[1\]` must be non-decreasing; knots\[1\]\[2\] = 1 > knots\[1\]\[3\] = 0.75",
        ),
        (
            torch.stack([KNOTS, KNOTS / 2]),
            2,
            U,
            r"`u` must lie in the domain \[0, 0.5\] of `knots`; u\[3\] = 0.75. Clamp",
        ),
        (
            torch.stack([KNOTS, KNOTS / 2]),
            2,
            torch.stack([U, 0.6 * U]),
            r"domain \[0, 0.5\] of `knots`; u\[1, 4\] = 0.6",
        ),
        (
            torch.stack([KNOTS, KNOTS]),
            2,
            U.expand(3, 5),
            r"`u` must have shape \(q,\) or \(2,\) \+ \(q,\), as `knots` has shape \(2, 9\); got \(3, 5\)",
        ),
        (KNOTS, 2, U + 0.01, r"`u` must lie in the domain \[0, 1\] of `knots`; u\[4\] = 1.01. Clamp"),
        (KNOTS, 2, torch.tensor([[0.0, 1], [-2, 0]]), r"u\[1, 0\] = -2"),
        (KNOTS, 2, torch.tensor([0.0, math.nan]), r"u\[1\] = nan"),
        (KNOTS, -1, U, r"`degree` must be at least 0; got -1"),
    ],
)
def test_basis_values(knots: torch.Tensor, degree: int, u: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        basis_functions(knots, degree, u)


@pytest.mark.parametrize(
    ("knots", "degree", "u", "message"),
    [
        ([0, 0, 1, 1], 1, U, r"`knots` must be a torch.Tensor; got list"),
        (KNOTS, 2, torch.tensor([0, 1]), r"`u` must be float32 or float64; got torch.int64"),
        (KNOTS.half(), 2, U, r"`knots` must be float32 or float64; got torch.float16"),
        (KNOTS, 2.0, U, r"`degree` must be an int; got 2.0"),
        (KNOTS, True, U, r"`degree` must be an int; got True"),
    ],
)
def test_basis_types(knots: Any, degree: Any, u: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        basis_functions(knots, degree, u)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"knot_gradient": "smooth"}, r"`knot_gradient` must be one of 'exact', 'gaussian'; got 'smooth'"),
        (
            {"knot_gradient": "gaussian", "bandwidth": 0.0},
            r"`bandwidth` must be positive and finite; got 0.0",
        ),
        ({"backend": "jax"}, r"`backend` must be one of 'torch', 'reference'; got 'jax'"),
        ({"backend": "reference", "knot_gradient": "gaussian"}, r"needs `backend=\"torch\"`"),
        ({"weights": torch.ones(6, 5)}, r"shape \(6, 6\); got \(6, 5\)"),
        ({"weights": 1 - torch.eye(6)}, r"`weights` must be positive and finite; weights\[0, 0\] = 0"),
        (
            {"knots_v": KNOTS[:5]},
            r"`knots_v` has 5 knots for 6 control points: the degree would be -2, outside \[0, 5\]",
        ),
        (
            {"knots_u": KNOTS.unsqueeze(0)},
            r"`knots_u` must have one dimension; got shape \(1, 9\)",
        ),
        (
            {"knots_u": KNOTS.expand(2, 9), "control_points": POINTS.expand(4, 6, 6, 3)},
            r"`knots_u` must have one dimension, or shape \(4,\) \+ \(\.\.\.,\) .*; got shape \(2, 9\)",
        ),
        ({"knots_u": KNOTS.flip(0)}, r"`knots_u` must be non-decreasing"),
        ({"v": U + 1}, r"`v` must lie in the domain \[0, 1\] of `knots_v`"),
        ({"u": U.reshape(5, 1)}, r"`u` must have one dimension; got shape \(5, 1\)"),
        ({"control_points": POINTS[0]}, r"shape \(..., n_u, n_v, dim\); got \(6, 3\)"),
    ],
)
def test_surface(options: dict[str, Any], message: str) -> None:
    arguments = {"control_points": POINTS, "knots_u": KNOTS, "knots_v": KNOTS, "u": U, "v": U} | options
    with pytest.raises(ValueError, match=message):
        evaluate_surface(**arguments)


def test_curve() -> None:
    with pytest.raises(ValueError, match=r"shape \(..., n, dim\); got \(6,\)"):
        evaluate_curve(POINTS[0, :, 0], KNOTS, U)
    with pytest.raises(ValueError, match=r"`knots` has 9 knots for 3 control points: the degree would be 5"):
        evaluate_curve(POINTS[0, :3], KNOTS, U)
    with pytest.raises(ValueError, match=r"`weights` must be positive and finite; weights\[1\] = nan"):
        evaluate_curve(POINTS[0, :2], uniform_knots(2, 1), U, weights=torch.tensor([1.0, math.nan]))
    with pytest.raises(ValueError, match=r"`weights` must be positive and finite; weights\[1\] = inf"):
        evaluate_curve(POINTS[0, :2], uniform_knots(2, 1), U, weights=torch.tensor([1.0, math.inf]))


def test_fit() -> None:
    with pytest.raises(ValueError, match=r"`points` must have shape \(r, s, dim\); got \(6, 6\)"):
        fit_surface(POINTS[..., 0], 2, (4, 4))
    with pytest.raises(ValueError, match=r"`knots` must be one of 'uniform', 'free'; got 'optimal'"):
        fit_surface(POINTS, 2, (4, 4), knots="optimal")
    with pytest.raises(TypeError, match=r"`size` must be a pair, one for each direction; got 4"):
        fit_surface(POINTS, 2, 4)
    with pytest.raises(TypeError, match=r"`degree` must be an int; got 2.0"):
        fit_surface(POINTS, 2.0, (4, 4))
    with pytest.raises(TypeError, match=r"`points` must be float32 or float64; got torch.int64"):
        fit_surface(POINTS.long(), 2, (4, 4))


def test_uniform_knots() -> None:
    with pytest.raises(ValueError, match=r"`n` must exceed the degree 3; got 3. Use at least 4"):
        uniform_knots(3, 3)
    with pytest.raises(ValueError, match=r"`domain` must be an interval \(low, high\)"):
        uniform_knots(4, 3, domain=(1.0, 1.0))
    with pytest.raises(ValueError, match=r"`ends` must be one of 'clamped', 'unclamped'; got 'periodic'"):
        uniform_knots(4, 3, ends="periodic")
    with pytest.raises(
        ValueError, match=r"`control_points` has 6 entries along axis 0, fewer than the degree 7"
    ):
        close_net(POINTS, 7, axis=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.gpu
def test_tensors_on_two_devices() -> None:
    with pytest.raises(ValueError, match=r"`u` lies on cuda:0, `knots` on cpu. Move them to one device"):
        basis_functions(KNOTS, 2, U.cuda())
