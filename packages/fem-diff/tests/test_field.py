"""Evaluation, errors, plots."""

from __future__ import annotations

import math

import pytest
import torch
from matplotlib import pyplot

from fem_diff import BoxMesh, Field, LagrangeSpace, Poisson, h1_error, l2_error, nodal_rms, solve, unit_square

EPS = torch.finfo(torch.float64).eps


def polynomial(x, y):
    return (1 + x) ** 2 * (3 - y) ** 2


@pytest.fixture
def field():
    space = LagrangeSpace(BoxMesh((3, 5), ((0.0, 2.0), (-1.0, 1.0))), 2)
    return Field(space, space.interpolate(polynomial))


def test_points_and_grids_agree_with_the_polynomial(field, generator):
    low, high = torch.tensor([0.0, -1.0]), torch.tensor([2.0, 1.0])
    points = low + (high - low) * torch.rand(40, 2, generator=generator, dtype=torch.float64)
    points = torch.cat([points, torch.stack([low, high]).double()])
    torch.testing.assert_close(field.evaluate(points), polynomial(*points.T), rtol=100 * EPS, atol=100 * EPS)
    x, y = torch.linspace(0, 2, 7).double(), torch.linspace(-1, 1, 4).double()
    expected = polynomial(x[:, None], y)
    torch.testing.assert_close(field.on_grid(x, y), expected, rtol=100 * EPS, atol=100 * EPS)
    batch = Field(field.space, torch.stack([field.u, 2 * field.u]))
    torch.testing.assert_close(batch.on_grid(x, y)[1], 2 * expected, rtol=100 * EPS, atol=100 * EPS)
    torch.testing.assert_close(
        batch.evaluate(points)[1], 2 * polynomial(*points.T), rtol=100 * EPS, atol=100 * EPS
    )


def test_evaluation_is_differentiable_in_the_nodal_values(generator):
    space = LagrangeSpace(BoxMesh((2, 2)), 1)
    u = torch.rand(space.node_shape, generator=generator, dtype=torch.float64, requires_grad=True)
    points = torch.rand(3, 2, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda u: Field(space, u).evaluate(points), u)


def test_errors_of_a_known_difference():
    """u - u_ex = 1 + x - 2 y on the unit square: L2 norm squared 2/3, H1 seminorm squared 5."""
    space = LagrangeSpace(unit_square(3), 1)
    field = Field(space, space.interpolate(lambda x, y: 1 + x - 2 * y))

    def zero(x, y):
        return 0 * x

    def zero_without_coordinates(x, y):
        return torch.zeros(())

    for exact in (zero, zero_without_coordinates):
        assert float(l2_error(field, exact)) == pytest.approx(math.sqrt(2 / 3), rel=100 * EPS)
        assert float(h1_error(field, exact)) == pytest.approx(math.sqrt(2 / 3 + 5), rel=100 * EPS)
    assert float(nodal_rms(field, zero)) == pytest.approx(
        float(field.u.square().mean().sqrt()), rel=100 * EPS
    )
    assert l2_error(Field(space, torch.stack([field.u, field.u])), zero).shape == (2,)


def test_errors_of_an_interpolated_polynomial_vanish(field):
    size = float(field.u.abs().max())
    assert float(l2_error(field, polynomial)) < 100 * EPS * size
    assert float(h1_error(field, polynomial)) < 1000 * EPS * size
    assert float(nodal_rms(field, polynomial)) < 10 * EPS * size


def test_plots_show_the_values(field):
    axes = field.plot(samples=11)
    assert axes.images[0].get_array().shape == (11, 11)
    assert float(axes.images[0].get_array().max()) == pytest.approx(9 * 16)
    assert list(axes.images[0].get_extent()) == [0.0, 2.0, -1.0, 1.0]
    pyplot.close(axes.figure)
    line = solve(Poisson(LagrangeSpace(BoxMesh((4,)), 2), source=1.0))
    figure, axes = pyplot.subplots()
    assert line.plot(axes, samples=5) is axes
    assert axes.lines[0].get_ydata()[2] == pytest.approx(1 / 8)
    pyplot.close(figure)


def test_representations():
    solution = solve(Poisson(LagrangeSpace(unit_square(4), 2), source=1.0))
    assert repr(solution).startswith("Solution(Q2, elements=(4, 4), batch=(), iterations=")
