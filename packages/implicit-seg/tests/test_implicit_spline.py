"""Contours, areas, lengths, normals, curvature, offsets of the zero set of a spline."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from scipy.special import ellipe
from shapely.geometry import shape as shapely_shape

from implicit_seg import ImplicitSpline, evaluate_spline, files, filter_components

EPS = np.finfo(float).eps


def fitted(function, grid, degree, size, spacing=1.0):
    """The spline of a function, exact where it is a polynomial of that degree."""
    n = (grid,) * len(size)
    net = None
    axes = [np.linspace(0, (m - 1) * spacing, 6 * grid + 1) for m in size]
    net = function(*np.meshgrid(*axes, indexing="ij"))
    for axis in range(len(size)):
        knots = np.concatenate(
            [np.zeros(degree), np.arange(grid - degree + 1), np.full(degree, grid - degree)]
        )
        u = np.linspace(0, grid - degree, 6 * grid + 1)
        basis = BSpline.design_matrix(u, knots, degree).toarray()
        net = np.moveaxis(np.tensordot(np.linalg.pinv(basis), net, (1, axis)), 0, axis)
    assert net.shape == n
    return ImplicitSpline(net, degree, size=size, spacing=spacing)


def disc(radius, row=30.7, column=31.2):
    return lambda y, x: radius**2 - (x - column) ** 2 - (y - row) ** 2


def random(seed, degree, grid=7, size=(20, 26)):
    return ImplicitSpline(np.random.default_rng(seed).standard_normal((grid, grid + 2)), degree, size=size)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("tolerance", [0.1, 1e-2, 1e-4])
def test_edges_of_a_contour_are_within_the_tolerance(degree, tolerance):
    for seed in range(5):
        shape = random(seed, degree)
        for loop in shape.contours(tolerance):
            start, end = loop.points, np.roll(loop.points, -1, axis=0)
            t = np.array([0.3, 0.5, 0.7])[:, None, None]
            along = (start + t * (end - start)).reshape(-1, 2)
            inner = ((along > 1e-9) & (along < np.array([19, 25]) - 1e-9)).all(1)  # not along the border
            slope = np.linalg.norm(shape.gradient(along), axis=1)
            distance = np.abs(shape(along)) / slope  # to first order, so not where two branches nearly meet
            clear = inner & (slope > 0.1)
            assert distance[clear].max(initial=0) <= 1.1 * tolerance


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize("grid", [5, 16, 33])
def test_a_disc_is_exact(degree, grid):
    radius = 20.3
    shape = fitted(disc(radius), grid, degree, (64, 64))
    (region,) = shape.regions()
    # 20: the fit of the coefficients above costs some digits
    assert shape.area == pytest.approx(math.pi * radius**2, rel=20 * EPS)
    assert shape.perimeter == pytest.approx(2 * math.pi * radius, rel=20 * EPS)
    assert region.perimeter == shape.perimeter
    np.testing.assert_allclose(region.centroid, [30.7, 31.2], atol=1e-3)  # of the polygon
    points = region.outline.points
    np.testing.assert_allclose(np.hypot(*(points - [30.7, 31.2]).T), radius, rtol=0, atol=1e-10)
    np.testing.assert_allclose(shape.normals(points), (points - [30.7, 31.2]) / radius, atol=1e-11)
    np.testing.assert_allclose(shape.curvature(points), 1 / radius, rtol=1e-9)
    assert not region.touches_border


def test_an_ellipse_with_a_spacing():
    a, b = 3.0, 1.25
    shape = fitted(lambda y, x: 1 - ((x - 4) / a) ** 2 - ((y - 4.1) / b) ** 2, 9, 2, (81, 81), spacing=0.1)
    assert shape.area == pytest.approx(math.pi * a * b, rel=1e-14)
    assert shape.perimeter == pytest.approx(4 * a * ellipe(1 - (b / a) ** 2), rel=1e-13)
    assert shape.curvature(np.array([4.1, 4 + a])) == pytest.approx(a / b**2, rel=1e-10)


@pytest.mark.parametrize(("degree", "order"), [(1, 2), (2, 3), (3, 4)])
def test_area_converges_with_the_order_of_the_spline(degree, order):
    """A cosine: not a spline. Halving the cells divides the error by 2**order, at least."""
    radius = 20.0

    def bump(y, x):
        return np.cos(((x - 31.2) ** 2 + (y - 30.7) ** 2) / 400) - math.cos(radius**2 / 400)

    errors = []
    for grid in (16, 32, 64):
        shape = fitted(bump, grid + degree, degree, (64, 64))
        inside = [r for r in shape.regions() if np.hypot(*(r.centroid - [30.7, 31.2])) < 1]
        points = inside[0].outline.points
        errors.append(np.abs(np.hypot(*(points - [30.7, 31.2]).T) - radius).max())
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (rates > order - 0.5).all(), rates


@pytest.mark.parametrize("degree", [1, 2, 3])
@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_random_splines_are_tiled_by_inside_and_outside(degree, seed):
    """Whatever is inside F is outside -F: areas add up to the domain, both find the same boundary."""
    shape = random(seed, degree)
    other = ImplicitSpline(-shape.coefficients, degree, size=shape.size)
    assert shape.area + other.area == pytest.approx(19 * 25, rel=1e-12)
    assert shape.perimeter == pytest.approx(other.perimeter, rel=1e-12)
    for loop in shape.contours():
        assert np.abs(shape(loop.points))[_inner(loop.points, (19, 25))].max(initial=0) < 1e-12
    regions = shape.regions()
    assert sum(region.area for region in regions) == pytest.approx(shape.area, rel=1e-12)
    fine = shape.mask((401, 521))
    assert fine.mean() * 19 * 25 == pytest.approx(
        shape.area, abs=2.5
    )  # a count of samples along the boundary


def _inner(points, extent):
    return ((points > 1e-9) & (points < np.array(extent) - 1e-9)).all(1)


def test_components_are_those_of_a_fine_raster():
    from scipy import ndimage

    for seed in range(3):
        shape = random(seed, 2)
        regions = [region for region in shape.regions() if region.area > 0.05]
        labels, count = ndimage.label(shape.mask((951, 1251)))
        sizes = np.bincount(labels.ravel())[1:] * (19 / 950) * (25 / 1250)
        assert len(regions) == (sizes > 0.05).sum()
        assert count >= len(regions)
        for region, size in zip(regions, np.sort(sizes[sizes > 0.05])[::-1], strict=True):
            # half a sample's step along the boundary and the border
            assert region.area == pytest.approx(size, abs=0.01 * (region.perimeter + 90))


def test_a_ring_has_a_hole_that_can_be_filled():
    def ring(y, x):
        r2 = (x - 31.2) ** 2 + (y - 30.7) ** 2
        return (400 - r2) * (r2 - 100) / 1e4

    shape = fitted(ring, 40, 3, (64, 64))
    (region,) = shape.regions()
    (hole,) = region.holes
    assert region.outline.area > 0 > hole.area
    assert not region.outline.is_hole
    assert hole.is_hole
    assert region.area == pytest.approx(math.pi * 300, rel=1e-4)
    assert region.perimeter == pytest.approx(2 * math.pi * 30, rel=1e-4)
    (filled,) = shape.regions(fill_holes=math.inf)
    assert filled.area == pytest.approx(math.pi * 400, rel=1e-4)
    assert len(shape.regions(fill_holes=100.0)[0].holes) == 1
    assert shape.regions(min_area=2000.0) == []
    assert len(shape.regions(largest=1)) == 1


def test_what_meets_the_border_is_closed_along_it():
    half = fitted(disc(10.0, row=0.0), 12, 2, (64, 64))
    (region,) = half.regions()
    assert region.touches_border
    assert region.area == pytest.approx(math.pi * 50, rel=1e-13)
    assert region.perimeter == pytest.approx(math.pi * 10, rel=1e-13)
    corner = fitted(disc(10.0, row=63.0, column=63.0), 12, 2, (64, 64))
    assert corner.area == pytest.approx(math.pi * 25, rel=1e-13)
    assert [63.0, 63.0] in corner.regions()[0].outline.points.tolist()
    full = ImplicitSpline(np.ones((4, 5)), size=(7, 9), spacing=(1.0, 2.0))
    assert full.area == 6 * 16
    assert full.perimeter == 0
    empty = ImplicitSpline(-np.ones((4, 5)), size=(7, 9))
    assert empty.contours() == empty.regions() == []
    assert empty.area == 0


@pytest.mark.parametrize("degree", [1, 2])
def test_zeros_at_vertices_and_crossings(degree):
    """A chequerboard of ones: every vertex in between is zero, where the boundary crosses itself."""
    net = np.indices((7, 7)).sum(0) % 2 * 2.0 - 1
    shape = ImplicitSpline(net, degree, size=(13, 13))
    other = ImplicitSpline(-net, degree, size=(13, 13))
    assert shape.area + other.area == pytest.approx(144, rel=1e-12)
    flat = ImplicitSpline(np.zeros((6, 6)), degree, size=(11, 11))
    assert flat.area == 0
    step = np.repeat([[-1.0], [0.0], [0.0], [1.0]], 4, axis=1)
    half = ImplicitSpline(step, 1, size=(4, 4))  # zero on a whole strip, which counts as outside
    assert half.area == pytest.approx(3.0, abs=1e-12)


def test_a_tiny_island_is_found():
    """Of a millionth of a cell's area, far from every sample of a pixel grid."""
    radius = 0.004
    shape = fitted(disc(radius, 7.137, 7.291), 12, 2, (16, 16))
    assert not shape.mask().any()
    assert shape.area == pytest.approx(math.pi * radius**2, rel=1e-6)


def test_values_and_derivatives(generator):
    net = torch.rand(8, 9, generator=generator, dtype=torch.float64)
    shape = ImplicitSpline(net, 3, size=(20, 30), spacing=(0.5, 2.0), level=0.25)
    want = evaluate_spline(net[None, None], (20, 30), 3)[0, 0].numpy()
    np.testing.assert_allclose(shape.values(), want, atol=8 * EPS)
    grid = np.stack(np.meshgrid(np.arange(20) * 0.5, np.arange(30) * 2.0, indexing="ij"), -1)
    np.testing.assert_allclose(shape(grid), want, atol=20 * EPS)
    assert (shape.mask((20, 30)) == (want > 0.25)).all()
    rng = np.random.default_rng(0)
    points, step = 0.1 + rng.random((30, 2)) * [9.3, 57], 1e-5
    for axis in range(2):
        move = step * np.eye(2)[axis]
        slope = (shape(points + move) - shape(points - move)) / (2 * step)
        np.testing.assert_allclose(shape.gradient(points)[:, axis], slope, atol=1e-8)
        second = (shape.gradient(points + move) - shape.gradient(points - move)) / (2 * step)
        np.testing.assert_allclose(shape.hessian(points)[:, axis], second, atol=1e-6)


def test_offsets_and_distances():
    shape = fitted(disc(12.0), 32, 2, (64, 64))
    points = 30 + 25 * np.random.default_rng(0).uniform(-1, 1, (200, 2))
    want = 12.0 - np.hypot(*(points - [30.7, 31.2]).T)
    np.testing.assert_allclose(shape.signed_distance(points), want, atol=1e-9)
    errors = []
    for grid in (32, 64):
        grown = shape.offset(5.0, grid=(grid, grid))
        assert grown.area == pytest.approx(math.pi * 17**2, rel=1e-4)
        errors.append(abs(grown.area / (math.pi * 17**2) - 1))
    assert errors[1] < errors[0] / 8  # fourth order, with room for the centre of the disc
    assert shape.offset(-4.0).area == pytest.approx(math.pi * 64, rel=1e-4)
    assert np.isinf(ImplicitSpline(np.ones((4, 4)), size=(8, 8)).signed_distance(np.ones(2)))


def test_bands_hold_the_boundary_between_them():
    shape = fitted(lambda y, x: 12.0 - np.hypot(x - 31.2, y - 30.7), 40, 3, (64, 64))
    inner, outer = shape.band(0.9)
    width = math.log(1.9 / 0.1)
    assert inner.area == pytest.approx(math.pi * (12 - width) ** 2, rel=1e-3)
    assert outer.area == pytest.approx(math.pi * (12 + width) ** 2, rel=1e-3)
    assert shape.band(0.9, scale=0.5)[0].level == pytest.approx(width / 2)


def test_svg_and_geojson(tmp_path):
    shape = random(3, 2)
    regions = shape.regions()
    files.write_geojson(tmp_path / "a.geojson", regions)
    read = json.loads((tmp_path / "a.geojson").read_text())
    assert read["type"] == "FeatureCollection"
    for feature, region in zip(read["features"], regions, strict=True):
        polygon = shapely_shape(feature["geometry"])
        assert polygon.is_valid
        assert polygon.exterior.is_ccw
        assert not any(hole.is_ccw for hole in polygon.interiors)
        assert polygon.area == pytest.approx(region.area, rel=0.01, abs=0.02)
        assert feature["properties"]["area"] == region.area
    files.write_svg(tmp_path / "a.svg", regions, size=shape.size)
    text = (tmp_path / "a.svg").read_text()
    assert text.count("<path") == len(regions)
    assert 'viewBox="-0.5 -0.5 26 20"' in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.geojson", "a.svg"]


def test_a_picture(tmp_path):
    shape = random(1, 2)
    axes = shape.plot(image=np.zeros((20, 26)), confidence=0.5)
    axes.figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert axes.get_xlim() == (-0.5, 25.5)
    assert axes.get_ylim() == (19.5, -0.5)


def test_components_of_masks_agree_with_scikit_image(generator):
    from skimage.measure import label
    from skimage.morphology import remove_small_holes, remove_small_objects

    for size in ((40, 50), (14, 15, 16)):
        mask = torch.rand(*size, generator=generator).numpy() < (0.55 if len(size) == 2 else 0.3)
        want = remove_small_objects(mask, max_size=7, connectivity=1)
        assert (filter_components(mask, min_size=8) == want).all()
        padded = np.pad(mask, 1)  # so that no hole meets the border
        want = remove_small_holes(padded, max_size=4, connectivity=1)
        assert (filter_components(padded, fill_holes=5) == want).all()
        labels = label(mask, connectivity=1)
        assert filter_components(mask, largest=1).sum() == np.bincount(labels.ravel())[1:].max()
    with pytest.raises(ValueError, match="`min_size` must not be negative; got -1"):
        filter_components(mask, min_size=-1)


class TestSpace:
    def test_a_mesh_of_a_ball(self, tmp_path):
        shape, errors = fitted(ball, 9, 2, (17, 19, 21)), []
        for factor in (1, 2):
            mesh = shape.mesh([factor * m for m in shape.size])
            np.testing.assert_allclose(np.linalg.norm(mesh.vertices - [8.5, 9, 10], axis=1), 6, atol=1e-10)
            edges = np.concatenate([mesh.faces[:, [i, (i + 1) % 3]] for i in range(3)])
            forward, backward = {tuple(e) for e in edges.tolist()}, {tuple(e[::-1]) for e in edges.tolist()}
            assert forward == backward  # closed, and every face the same way round
            assert len(forward) == len(edges)
            errors.append(
                (abs(mesh.volume / (4 / 3 * math.pi * 216) - 1), abs(mesh.area / (4 * math.pi * 36) - 1))
            )
        for coarse, fine in zip(*errors, strict=True):
            assert fine < coarse / 3  # second order
        files.write_stl(tmp_path / "ball.stl", mesh)
        content = (tmp_path / "ball.stl").read_bytes()
        assert len(content) == 84 + 50 * len(mesh.faces)
        first = np.frombuffer(content, "<f4", 12, 84).reshape(4, 3)
        assert first[0] @ (first[1:].mean(0) - [10, 9, 8.5]) > 5.5  # the normal points out; x, y, z
        np.testing.assert_allclose(first[1:, ::-1], mesh.vertices[mesh.faces[0]], rtol=1e-6)

    def test_a_mesh_is_closed_on_the_border(self):
        shape = fitted(lambda z, y, x: 36 - z**2 - (y - 9) ** 2 - (x - 10) ** 2, 9, 2, (17, 19, 21))
        mesh = shape.mesh()
        assert mesh.volume == pytest.approx(2 / 3 * math.pi * 216, rel=0.02)
        assert mesh.vertices[:, 0].min() == 0
        assert len(ImplicitSpline(-np.ones((3, 3, 3)), size=(4, 4, 4)).mesh().faces) == 0

    def test_normals_and_curvature(self):
        shape = fitted(ball, 9, 3, (17, 19, 21))
        points = shape.project(shape.mesh().vertices[::50])
        np.testing.assert_allclose(shape.normals(points), (points - [8.5, 9, 10]) / 6, atol=1e-9)
        np.testing.assert_allclose(shape.curvature(points), 1 / 6, rtol=1e-7)

    def test_slices(self):
        shape = fitted(ball, 9, 2, (17, 19, 21))
        for axis, index, size in ((0, 7.3, (19, 21)), (1, 18.0, (17, 21)), (2, 0.0, (17, 19))):
            cut = shape.slice(index, axis)
            assert cut.size == size
            full = np.stack(np.meshgrid(*(np.arange(m) for m in size), indexing="ij"), -1).astype(float)
            points = np.insert(full, axis, index, axis=-1)
            np.testing.assert_allclose(cut.values(), shape(points), atol=1e-11)
        assert shape.slice(8.0).area == pytest.approx(math.pi * (36 - 0.25), rel=1e-12)


def ball(z, y, x):
    return 36 - (z - 8.5) ** 2 - (y - 9) ** 2 - (x - 10) ** 2


class TestMessages:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"coefficients": np.zeros((1, 1, 4, 4))},
                r"two or three dimensions.* got the shape \(1, 1, 4, 4\)",
            ),
            ({"degree": 0}, "`degree` must be 1, 2 or 3 for a boundary; got 0"),
            ({"degree": 3, "coefficients": np.zeros((3, 9))}, r"more than `degree` = 3 .* got \(3, 9\)"),
            ({"coefficients": np.diag([1, np.nan, 1])}, r"coefficients\[1, 1\] is nan"),
            ({"size": (1, 5)}, r"`size` must be 2 numbers of at least 2; got \(1, 5\)"),
            ({"spacing": (1.0, 0.0)}, "`spacing` must be one positive number or 2"),
            ({"level": math.inf}, "`level` must be finite"),
        ],
    )
    def test_construction(self, change, message):
        arguments = {"coefficients": np.zeros((4, 4)), "size": (8, 8)} | change
        with pytest.raises(ValueError, match=message):
            ImplicitSpline(arguments.pop("coefficients"), **arguments)

    def test_questions(self):
        shape = random(0, 1)
        with pytest.raises(ValueError, match=r"`points` must have the shape \(..., 2\); got \(3,\)"):
            shape(np.zeros(3))
        with pytest.raises(ValueError, match=r"`points` must lie in the domain.* \[ 1. 99.\] does not"):
            shape(np.array([[1.0, 1.0], [1.0, 99.0]]))
        with pytest.raises(ValueError, match="`degree` must be 2 or 3 for curvatures"):
            shape.curvature(np.zeros(2))
        with pytest.raises(ValueError, match="the gradient vanishes"):
            ImplicitSpline(np.ones((4, 4)), size=(8, 8)).normals(np.ones(2))
        with pytest.raises(ValueError, match=r"point 0 of `points`.* not close enough"):
            ImplicitSpline(np.ones((4, 4)), size=(8, 8)).project(np.ones((1, 2)))
        with pytest.raises(ValueError, match="`tolerance` must be positive; got 0"):
            shape.contours(0.0)
        with pytest.raises(ValueError, match="`min_area` must not be negative; got -1"):
            shape.regions(min_area=-1.0)
        with pytest.raises(ValueError, match="`confidence` must lie between 0 and 1"):
            shape.band(1.0)
        with pytest.raises(ValueError, match="no boundary to be offset"):
            ImplicitSpline(np.ones((4, 4)), size=(8, 8)).offset(1.0)
        with pytest.raises(ValueError, match="`distance` must be finite"):
            shape.offset(math.nan)
        with pytest.raises(ValueError, match="`grid` must be 2 numbers of at least 4"):
            shape.offset(1.0, grid=(3, 8))
        with pytest.raises(ValueError, match="`image` must have the shape"):
            shape.plot(image=np.zeros((3, 3)))
        with pytest.raises(ValueError, match="`mesh` is for splines in space; this one is in the plane"):
            shape.mesh()
        with pytest.raises(ValueError, match="`size` must be 2 numbers"):
            shape.values((3,))
        with pytest.raises(ValueError, match="`axis` must be 0, 1 or 2"):
            fitted(ball, 6, 2, (17, 19, 21)).slice(40.0)

    def test_files(self, tmp_path):
        with pytest.raises(ValueError, match=r"must end in one of .svg"):
            files.write_svg(tmp_path / "a.png", [], size=(2, 2))
        with pytest.raises(ValueError, match="there is no folder"):
            files.write_geojson(tmp_path / "none" / "a.json", [])
