"""Scattered parameters, volumes, and knots or parameters of each sample: each against the plain case."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from geomdl import NURBS
from nurbs_cases import clamped
from torch import Generator, Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from nurbs_diff import (
    basis_functions,
    evaluate_curve,
    evaluate_surface,
    evaluate_volume,
)

EPS = torch.finfo(torch.float64).eps
KNOTS = (clamped([0.3758, 0.3758, 0.4333], 3), clamped([0.25, 0.6, 0.6, 0.6], 2), clamped([0.5], 1))
COUNTS = (7, 7, 3)
EVALUATE = {2: evaluate_surface, 3: evaluate_volume}


def uniform(*shape: int, generator: Generator) -> Tensor:
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def random_net(directions: int, *batch: int, generator: Generator) -> tuple[Tensor, Tensor]:
    shape = (*batch, *COUNTS[:directions])
    return uniform(*shape, 3, generator=generator), 0.2 + 5 * uniform(*shape, generator=generator)


def random_knots(*batch: int, degree: int, interior: int, generator: Generator) -> Tensor:
    inner = uniform(*batch, interior, generator=generator).sort(-1).values
    zeros = inner.new_zeros(*batch, degree + 1)
    return torch.cat([zeros, inner, zeros + 1], -1)


def parameters(directions: int, *lead: int, generator: Generator) -> Tensor:
    """Random ones, both ends and every knot."""
    found = uniform(*lead, 17, directions, generator=generator)
    for i, knots in enumerate(KNOTS[:directions]):
        found[..., : len(knots), i] = knots[torch.randperm(len(knots), generator=generator)]
    return found


@pytest.mark.parametrize("directions", [2, 3])
@pytest.mark.parametrize("is_rational", [True, False])
def test_scattered_equals_the_diagonal_of_the_grid(
    directions: int, is_rational: bool, generator: Generator
) -> None:
    points, weights = random_net(directions, 2, generator=generator)
    options: dict[str, Any] = {"weights": weights if is_rational else None}
    knots = KNOTS[:directions]
    at = parameters(directions, generator=generator)
    grid = EVALUATE[directions](points, *knots, *at.unbind(-1), **options)
    diagonal = grid[(slice(None), *[torch.arange(len(at))] * directions)]
    scattered = EVALUATE[directions](points, *knots, *at.unbind(-1), grid=False, **options)
    assert_close(scattered, diagonal, rtol=0, atol=32 * EPS)


@pytest.mark.parametrize("directions", [2, 3])
@pytest.mark.parametrize("kind", ["grid", "scattered"])
def test_fast_paths_equal_the_reference_with_all_gradients(
    directions: int, kind: str, generator: Generator
) -> None:
    points, weights = random_net(directions, 2, generator=generator)
    at = parameters(directions, 2, generator=generator)
    parts = (at[:, :6] if kind == "grid" else at).unbind(-1)
    evaluate = partial(EVALUATE[directions], grid=kind == "grid")
    results = []
    for options in ({}, {"backend": "reference"}, {"knot_gradient": "gaussian"}):
        leaves = [x.clone().requires_grad_() for x in (points, *KNOTS[:directions], *parts, weights)]
        values = evaluate(*leaves[:-1], weights=leaves[-1], **options)
        upstream = torch.linspace(-1, 1, values.numel(), dtype=torch.float64).reshape(values.shape)
        results.append([values, *torch.autograd.grad((values * upstream).sum(), leaves)])
    ours, want, gaussian = results
    for i, (a, b) in enumerate(zip(ours, want, strict=True)):
        # sums of up to 64 products for each of up to 432 points; knot gradients are the longest chain
        assert_close(a, b, rtol=0, atol=1024 * EPS * float(b.detach().abs().max()))
        if not 2 <= i < 2 + directions:
            assert_close(gaussian[i], b, rtol=0, atol=1024 * EPS * float(b.detach().abs().max()))


def test_volume_equals_geomdl(generator: Generator) -> None:
    points, weights = random_net(3, generator=generator)
    peer = NURBS.Volume()
    peer.degree_u, peer.degree_v, peer.degree_w = 3, 2, 1
    peer.cpsize = list(COUNTS)
    # geomdl numbers control points with u fastest within v, w slowest
    homogeneous = torch.cat([points * weights.unsqueeze(-1), weights.unsqueeze(-1)], -1)
    peer.ctrlptsw = homogeneous.permute(2, 0, 1, 3).reshape(-1, 4).tolist()
    peer.knotvector_u, peer.knotvector_v, peer.knotvector_w = (t.tolist() for t in KNOTS)
    at = uniform(20, 3, generator=generator)
    want = torch.tensor(peer.evaluate_list(at.tolist()), dtype=torch.float64)
    ours = evaluate_volume(points, *KNOTS, *at.unbind(-1), grid=False, weights=weights)
    assert_close(ours, want, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["grid", "scattered"])
@pytest.mark.parametrize("shared", ["nothing", "knots_u", "parameters"])
@pytest.mark.parametrize("options", [{}, {"backend": "reference"}, {"knot_gradient": "gaussian"}], ids=str)
def test_knots_of_each_sample_equal_a_loop_with_all_gradients(
    kind: str, shared: str, options: dict[str, Any], generator: Generator
) -> None:
    batch = (2, 2)
    points, weights = random_net(2, *batch, generator=generator)
    knots_u = random_knots(*batch, degree=3, interior=3, generator=generator)
    knots_v = random_knots(*batch, degree=2, interior=4, generator=generator)
    at = uniform(*batch, 9, 2, generator=generator)
    at[..., 0, :], at[..., 1, :] = 0, 1
    if shared == "knots_u":
        knots_u = knots_u[0, 0]
    if shared == "parameters":
        at = at[0, 0]
    evaluate = partial(evaluate_surface, grid=kind == "grid")
    given = (points, knots_u, knots_v, *at.unbind(-1), weights)
    upstream = uniform(*batch, 9, *([9] if kind == "grid" else []), 3, generator=generator)

    leaves = [x.clone().requires_grad_() for x in given]
    together = evaluate(*leaves[:-1], weights=leaves[-1], **options)
    ours = [together, *torch.autograd.grad(together, leaves, upstream)]

    leaves = [x.clone().requires_grad_() for x in given]
    full = [x if x.shape[:2] == batch else x.expand(*batch, *x.shape) for x in leaves]
    one_by_one = [
        evaluate(*(x[i, j] for x in full[:-1]), weights=full[-1][i, j], **options)
        for i in range(2)
        for j in range(2)
    ]
    stacked = torch.stack(one_by_one).unflatten(0, batch)
    for a, b in zip(ours, [stacked, *torch.autograd.grad(stacked, leaves, upstream)], strict=True):
        assert_close(a, b, rtol=0, atol=256 * EPS * float(b.detach().abs().max()))


def test_curves_and_bases_of_each_sample(generator: Generator) -> None:
    knots = random_knots(3, degree=2, interior=2, generator=generator)
    u = uniform(3, 8, generator=generator)
    points = uniform(3, 5, 2, generator=generator)
    curves = evaluate_curve(points, knots, u)
    bases = basis_functions(knots, 2, u)
    assert bases.shape == (3, 8, 5)
    for i in range(3):
        assert torch.equal(bases[i], basis_functions(knots[i], 2, u[i]))
        assert_close(curves[i], evaluate_curve(points[i], knots[i], u[i]), rtol=0, atol=4 * EPS)
    assert torch.equal(basis_functions(knots, 2, u[0])[1], basis_functions(knots[1], 2, u[0]))


@pytest.mark.parametrize("directions", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_scattered_passes_gradcheck_twice(directions: int, generator: Generator) -> None:
    knots = (clamped([0.4], 2), clamped([], 1), clamped([], 1))[:directions]
    counts = (4, 2, 2)[:directions]
    inner = torch.tensor([3])

    def spline(points: Tensor, weights: Tensor, moving: Tensor, at: Tensor) -> Tensor:
        moved = (knots[0].index_put((inner,), moving), *knots[1:])
        return EVALUATE[directions](points, *moved, *at.unbind(-1), grid=False, weights=weights)

    arguments = (
        uniform(2, *counts, 2, generator=generator),
        0.5 + uniform(2, *counts, generator=generator),
        knots[0][inner],
        0.05 + 0.3 * uniform(3, directions, generator=generator),
    )
    arguments = tuple(x.requires_grad_() for x in arguments)
    assert gradcheck(spline, arguments)
    assert gradgradcheck(spline, arguments)


def test_many_control_points_and_parameters(generator: Generator) -> None:
    # more than one block in the backward pass
    points = uniform(60, 50, 3, generator=generator).requires_grad_()
    knots = random_knots(degree=3, interior=56, generator=generator)
    knots_v = random_knots(degree=3, interior=46, generator=generator)
    u, v = uniform(70, generator=generator), uniform(90, generator=generator)
    at = torch.stack(torch.meshgrid(u, v, indexing="ij"), -1).reshape(-1, 2).requires_grad_()
    upstream = uniform(6300, 3, generator=generator)
    scattered = evaluate_surface(points, knots, knots_v, *at.unbind(-1), grid=False)
    ours = torch.autograd.grad(scattered, (points, at), upstream)
    reference = evaluate_surface(points, knots, knots_v, *at.unbind(-1), grid=False, backend="reference")
    want = torch.autograd.grad(reference, (points, at), upstream)
    assert_close(scattered, reference, rtol=0, atol=32 * EPS)
    for a, b in zip(ours, want, strict=True):
        assert_close(a, b, rtol=0, atol=1024 * EPS * float(b.abs().max()))


@pytest.mark.usefixtures("unchecked")
def test_errors(generator: Generator) -> None:
    points, weights = random_net(2, generator=generator)
    at = uniform(4, 2, generator=generator)
    with pytest.raises(ValueError, match=r"With `grid=False` .* equally many `u`, `v`; got 4, 3"):
        evaluate_surface(points, *KNOTS[:2], at[:, 0], at[:3, 1], grid=False)
    u, v = at.unbind(-1)
    with pytest.raises(ValueError, match=r"`v` must lie in the domain \[0, 1\] of `knots_v`.* "):
        evaluate_surface(points, *KNOTS[:2], u, v + 1.5, grid=False)
    with pytest.raises(ValueError, match=r"`u` must have one dimension; got shape \(2, 4\)"):
        evaluate_surface(points, *KNOTS[:2], u.expand(2, 4), v.expand(2, 4), grid=False)
    with pytest.raises(TypeError, match=r"`v` must be a torch.Tensor; got list"):
        evaluate_surface(points, *KNOTS[:2], u, v.tolist(), grid=False)
    with pytest.raises(ValueError, match=r"shape \(..., n_u, n_v, n_w, dim\); got \(7, 7, 3\)"):
        evaluate_volume(points, *KNOTS, u, u, u)
    with pytest.raises(ValueError, match=r"`weights` must be positive and finite; weights\[0, 0\] = -"):
        evaluate_surface(points, *KNOTS[:2], u, v, grid=False, weights=-weights)
