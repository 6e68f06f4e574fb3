"""Area and perimeter as torch functions of the coefficients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from implicit_seg import ImplicitSpline, spline_area, spline_perimeter


def random(degree: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(degree)
    return torch.randn(2, 5, 4, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("measure", [spline_area, spline_perimeter])
def test_gradients(measure, degree):
    """Of boundaries with ends on the border; values of two splines at a time."""
    net = random(degree)
    values = measure(net, degree, size=(9, 12), spacing=(1.0, 0.5), level=0.1)
    name = measure.__name__.removeprefix("spline_")
    shapes = [ImplicitSpline(grid, degree, size=(9, 12), spacing=(1.0, 0.5), level=0.1) for grid in net]
    assert values.tolist() == [getattr(shape, name) for shape in shapes]
    assert torch.autograd.gradcheck(
        lambda c: measure(c, degree, size=(9, 12), spacing=(1.0, 0.5), level=0.1),
        net[0].detach().requires_grad_(),
        eps=1e-6,
        atol=1e-6,
        rtol=1e-5,
    )


def test_a_disc_that_grows():
    """F = r^2 - |x|^2: with all coefficients grown by d the area grows by pi d, the perimeter by pi d / r."""
    radius, t = 3.0, torch.arange(9, dtype=torch.float64)
    # x^2 on open uniform knots has the coefficients t_{k+1} t_{k+2}; here the knots are those of 7 cells
    knots = torch.cat([torch.zeros(2), torch.arange(8), torch.full((2,), 7.0)]).double()
    square, linear = knots[1:10] * knots[2:11], (knots[1:10] + knots[2:11]) / 2
    assert len(t) == len(square)
    side = square - 2 * 3.6 * linear + 3.6**2
    net = (radius**2 - side[:, None] - side).requires_grad_()
    area, perimeter = (f(net, 2, size=(8, 8)) for f in (spline_area, spline_perimeter))
    assert float(area.detach()) == pytest.approx(math.pi * radius**2, rel=1e-13)
    (by_area,) = torch.autograd.grad(area, net)
    (by_perimeter,) = torch.autograd.grad(perimeter, net)
    assert float(by_area.sum()) == pytest.approx(math.pi, rel=1e-12)
    assert float(by_perimeter.sum()) == pytest.approx(math.pi / radius, rel=1e-12)


def test_a_shape_takes_the_area_that_is_asked_for():
    """Gradient descent on the squared error of the area, in float32."""
    grid = np.mgrid[-3:4, -3:4]
    net = torch.from_numpy(2 - np.hypot(*grid)).float().requires_grad_()
    for _ in range(8):
        error = spline_area(net, 2, size=(7, 7)) - 20.0
        (gradient,) = torch.autograd.grad(error, net)
        net = (net - error.detach() * gradient / gradient.square().sum()).detach().requires_grad_()
    assert float(spline_area(net.detach(), 2, size=(7, 7))) == pytest.approx(20.0, rel=1e-5)


def test_nothing_inside_and_messages(unchecked):
    net = torch.full((4, 4), -1.0, requires_grad=True)
    spline_area(net, size=(8, 8)).backward()
    assert net.grad is not None
    assert not net.grad.any()
    with pytest.raises(ValueError, match='`of` must be "area" or "perimeter"; got'):
        ImplicitSpline(np.ones((4, 4)), size=(8, 8)).sensitivity("length")
