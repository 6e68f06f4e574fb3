"""Derivatives against scipy, geomdl and closed forms, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from geomdl import NURBS
from geometry_shapes import circle, random_curve, random_surface
from nurbs_cases import KNOTS, parameters
from scipy.interpolate import BSpline
from torch.autograd import gradcheck, gradgradcheck

from nurbs_diff import curve_derivatives, evaluate_surface, surface_derivatives

EPS = torch.finfo(torch.float64).eps


@pytest.mark.parametrize("name", KNOTS)
def test_basis_derivatives_equal_scipy(name: str) -> None:
    degree, knots = KNOTS[name]
    n = len(knots) - degree - 1
    u = parameters(degree, knots)
    found = curve_derivatives(torch.eye(n, dtype=torch.float64), knots, u, order=degree + 1)
    assert found.shape == (degree + 2, len(u), n)
    for k in range(degree + 2):
        spline = BSpline(knots.numpy(), np.eye(n), degree, extrapolate=False)
        # scipy takes the value from the right at the end of the domain too, where that is another polynomial
        inside = (u < knots[-degree - 1]).numpy()
        want = spline(u.numpy()[inside], nu=k) if k <= degree else np.zeros((inside.sum(), n))
        largest = max(np.abs(want).max(), 1)
        # each level of each derivative rounds once, relative to the largest term
        np.testing.assert_allclose(
            found[k].numpy()[inside], want, rtol=0, atol=16 * (degree + 1) * EPS * largest
        )


def test_surface_equals_geomdl(generator: torch.Generator) -> None:
    surface = random_surface(generator, (6, 5), (3, 2))
    theirs = NURBS.Surface()
    theirs.degree_u, theirs.degree_v = 3, 2
    homogeneous = torch.cat(
        [surface.control_points * surface.weights.unsqueeze(-1), surface.weights.unsqueeze(-1)], -1
    )
    theirs.set_ctrlpts(homogeneous.reshape(-1, 4).tolist(), 6, 5)
    theirs.knotvector_u, theirs.knotvector_v = surface.knots_u.tolist(), surface.knots_v.tolist()
    u, v = torch.rand(2, 4, generator=generator, dtype=torch.float64)
    on_grid = surface_derivatives(*surface[:3], u, v, order=3, weights=surface.weights)
    scattered = surface_derivatives(*surface[:3], u, v, order=3, weights=surface.weights, grid=False)
    assert set(on_grid) == {(i, j) for i in range(4) for j in range(4) if i + j <= 3}
    for a in range(4):
        want = theirs.derivatives(float(u[a]), float(v[a]), order=3)
        for (i, j), points in on_grid.items():
            # a derivative of order k amplifies rounding by about (degree / span)^k < 9^k
            limit = 64 * EPS * 9 ** (i + j)
            np.testing.assert_allclose(points[a, a], want[i][j], rtol=0, atol=limit)
            np.testing.assert_allclose(scattered[i, j][a], want[i][j], rtol=0, atol=limit)


def test_derivatives_are_those_of_the_points(generator: torch.Generator) -> None:
    """Autograd of evaluate_surface along u and v, an implementation apart from this one."""
    surface = random_surface(generator, (5, 6), (2, 3))
    u, v = torch.rand(2, 1, generator=generator, dtype=torch.float64).requires_grad_()
    found = surface_derivatives(*surface[:3], u, v, order=2, weights=surface.weights)
    points = evaluate_surface(*surface[:3], u, v, weights=surface.weights)
    for i, coordinate in enumerate(points.reshape(3)):
        first = torch.autograd.grad(coordinate, (u, v), create_graph=True)
        second = [torch.autograd.grad(x, (u, v), retain_graph=True) for x in first]
        want = {
            (1, 0): first[0],
            (0, 1): first[1],
            (2, 0): second[0][0],
            (1, 1): second[0][1],
            (0, 2): second[1][1],
        }
        for index, derivative in want.items():
            torch.testing.assert_close(found[index][0, :, i], derivative, rtol=0, atol=1000 * EPS)


def test_gradients_in_everything(generator: torch.Generator) -> None:
    points, knots, weights = (x.requires_grad_() for x in random_curve(generator, 5, 3, dim=2))
    start, end = knots[:4].detach().clone(), knots[-4:].detach().clone()
    u = torch.tensor([0.1, 0.45, 0.8], dtype=torch.float64, requires_grad=True)

    def derivatives(*x: torch.Tensor) -> torch.Tensor:
        clamped_knots = torch.cat([start, x[1][4:-4], end])  # the interior knots alone are free
        return curve_derivatives(x[0], clamped_knots, x[2], order=2, weights=x[3])

    assert gradcheck(derivatives, (points, knots, u, weights))
    assert gradgradcheck(derivatives, (points, knots, u, weights))


def test_scattered_gradients_equal_those_on_the_grid(generator: torch.Generator) -> None:
    surface = random_surface(generator, (5, 4), (3, 2))
    u, v = torch.rand(2, 6, generator=generator, dtype=torch.float64)
    variables = [x.requires_grad_() for x in (*surface, u, v)]
    points, knots_u, knots_v, weights, u, v = variables
    seeds = torch.rand(6, 6, 3, generator=generator, dtype=torch.float64)
    gradients = []
    for grid in (True, False):
        derivatives = surface_derivatives(points, knots_u, knots_v, u, v, order=2, weights=weights, grid=grid)
        total = sum(
            ((x.diagonal(0, 0, 1).T if grid else x) * seed).sum()
            for x, seed in zip(derivatives.values(), seeds, strict=True)
        )
        gradients.append(torch.autograd.grad(total, variables))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=64 * EPS * float(a.abs().max()))


def test_batches_and_dtypes() -> None:
    points, knots, weights = circle()
    batch = torch.stack([points, 2 * points])[:, None].float()
    u = torch.linspace(0, 1, 7, dtype=torch.float64)
    found = curve_derivatives(batch, knots, u, order=1, weights=weights.expand(2, 1, -1))
    assert found.dtype == torch.float32
    assert found.shape == (2, 2, 1, 7, 2)
    torch.testing.assert_close(found[:, 1], 2 * found[:, 0], rtol=0, atol=0)
    single = curve_derivatives(points, knots, u, order=1, weights=weights)
    torch.testing.assert_close(
        found[:, 0, 0], single.float(), rtol=0, atol=64 * torch.finfo(torch.float32).eps
    )
