"""Volume and surface of splines in space, from the spline itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline
from scipy.special import elliprg

from implicit_seg import ImplicitSpline
from implicit_seg._geometry.bezier import bernstein
from implicit_seg._geometry.solid import roots


def interpolated(function, grid, degree, size, spacing=1.0):
    """The spline that takes the function's values at the Greville points, on open uniform knots."""
    knots = np.concatenate([np.zeros(degree), np.arange(grid - degree + 1), np.full(degree, grid - degree)])
    greville = np.array([knots[k + 1 : k + degree + 1].mean() for k in range(grid)])
    axes = [greville / (grid - degree) * (m - 1) * spacing for m in size]
    net = function(*np.meshgrid(*axes, indexing="ij"))
    for axis in range(3):
        fit = make_interp_spline(greville, net, degree, knots, axis=axis)
        net = np.moveaxis(fit.c, 0, axis) if axis else fit.c
    return ImplicitSpline(net, degree, size=size, spacing=spacing)


def ellipsoid(a, b, c):
    """Its level set 0 has these semi-axes and stands at no special place of the grid."""
    return lambda z, y, x: 1 - ((z - 8.6) / a) ** 2 - ((y - 9.1) / b) ** 2 - ((x - 9.7) / c) ** 2


@pytest.mark.parametrize(("degree", "grid"), [(2, 5), (3, 5)])
def test_an_ellipsoid_is_exact(degree, grid):
    a, b, c = 6.0, 4.5, 7.25
    shape = interpolated(ellipsoid(a, b, c), grid, degree, (17, 19, 21))
    volume = 4 / 3 * math.pi * a * b * c
    surface = 4 * math.pi * elliprg(*((p * q) ** 2 for p, q in ((a, b), (b, c), (a, c))))
    found = shape.measures
    assert found.volume == pytest.approx(volume, rel=1e-13)
    assert found.area == pytest.approx(surface, rel=1e-11)
    assert abs(found.volume - volume) <= found.volume_error + 1e-13 * volume
    assert abs(found.area - surface) <= found.area_error + 1e-13 * surface
    assert found.volume_error < 1e-10 * volume
    assert (shape.volume, shape.area) == (found.volume, found.area)


@pytest.mark.parametrize(("degree", "order"), [(1, 2), (2, 3), (3, 4)])
def test_measures_converge_with_the_order_of_the_spline(degree, order):
    """The ball as a level set of a bell, no spline: halving the cells divides the error by 2**order."""

    def bump(z, y, x):
        return np.exp(-((z - 8.6) ** 2 + (y - 9.1) ** 2 + (x - 9.7) ** 2) / 100) - math.exp(-0.36)

    errors = []
    for cells in (4, 8):
        shape = interpolated(bump, cells + degree, degree, (17, 19, 21))
        inside = shape.measures
        errors.append([inside.volume / (288 * math.pi) - 1, inside.area / (144 * math.pi) - 1])
    volume, area = np.log2(np.abs(errors[0]) / np.abs(errors[1]))
    assert volume > order - 0.5
    assert area > degree - 0.5  # at least the order of the normals


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_random_splines_have_two_sides(degree):
    """-F has the outside for its inside, the same surface; slices (the plane's code) add up."""
    net = np.random.default_rng(degree).standard_normal((degree + 1, 4, degree + 1))
    shape = ImplicitSpline(net, degree, size=(5, 6, 7), spacing=(1.0, 0.5, 2.0))
    other = ImplicitSpline(-net, degree, size=shape.size, spacing=shape.spacing)
    assert shape.volume + other.volume == pytest.approx(4 * 2.5 * 12, rel=1e-13)
    assert shape.area == pytest.approx(other.area, rel=1e-12)
    if degree == 2:
        # midpoint rule over slices: kinks where a slice's topology changes leave an error of second order
        slices = (np.arange(16) + 0.5) / 16 * 4
        assert np.mean([shape.slice(z).area for z in slices]) * 4 == pytest.approx(shape.volume, rel=5e-3)


def test_a_curve_that_closes_within_a_face_is_seen():
    """The ball's top reaches 1e-3 of a cell into the next one, between all lines of a coarse rule."""
    reach = 1e-3
    shape = interpolated(
        lambda z, y, x: 4 - (z - (8 + reach - 2)) ** 2 - (y - 6.137) ** 2 - (x - 6.291) ** 2,
        grid=7,
        degree=2,
        size=(21, 16, 16),
    )  # knots at 0, 4, 8, ...
    assert shape.volume == pytest.approx(32 / 3 * math.pi, rel=1e-12)
    assert shape.area == pytest.approx(16 * math.pi, rel=1e-11)


def test_half_a_ball_whole_and_empty_domains():
    half = interpolated(lambda z, y, x: 36 - z**2 - (y - 9) ** 2 - (x - 10) ** 2, 5, 2, (17, 19, 21))
    assert half.volume == pytest.approx(144 * math.pi, rel=1e-13)
    assert half.area == pytest.approx(72 * math.pi, rel=1e-11)  # the border is no boundary
    full = ImplicitSpline(np.ones((3, 4, 3)), size=(4, 5, 6), spacing=2.0)
    assert (full.volume, full.area, full.measures.volume_error) == (8 * 60, 0, 0)
    empty = ImplicitSpline(np.zeros((3, 4, 3)), size=(4, 5, 6))
    assert (empty.volume, empty.area) == (0, 0)


def test_what_is_not_resolved_is_told():
    """A cone: at its tip the gradient vanishes."""
    cone = interpolated(lambda z, y, x: (z - 5.3) ** 2 - (y - 5.1) ** 2 - (x - 5.2) ** 2, 3, 2, (11, 11, 11))
    found = cone.measures
    assert 0 < found.volume_error < 1e-7
    assert found.area_error == math.inf


def test_roots_are_those_of_numpy():
    monomials = np.random.default_rng(0).standard_normal((300, 4))
    t = np.linspace(0, 1, 4)
    values = np.stack([np.polyval(row, t) for row in monomials])
    polynomials = values @ np.linalg.inv(bernstein(t, 3)[0]).T
    for row, found in zip(monomials, roots(polynomials), strict=True):
        every = np.roots(row)
        want = np.sort(every[(every.imag == 0) & (every.real > 0) & (every.real < 1)].real)
        np.testing.assert_allclose(np.sort(found)[: len(want)], want, atol=1e-9)
        assert (np.sort(found)[len(want) :] == 1).all()


def test_the_plane_has_no_volume():
    shape = ImplicitSpline(np.ones((4, 4)), size=(8, 8))
    with pytest.raises(ValueError, match="`measures` is for splines in space; this one is in the plane"):
        _ = shape.volume
    solid = ImplicitSpline(np.ones((4, 4, 4)), size=(8, 8, 8))
    with pytest.raises(ValueError, match=r"`perimeter` is for splines in the plane.*take `area`"):
        _ = solid.perimeter
