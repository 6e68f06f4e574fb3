"""Region-wise projection against numpy's SVD, scipy's means, and what a projector is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspline_core import fit, project_regions, regions

EPS = np.finfo(float).eps
DEGREES = range(4)


def jacobian(labels, weights, degree):
    """B (B^T W B)^+ B^T W, region by region, by the SVD."""
    n = labels.size
    w = np.ones(n) if weights is None else weights.ravel()
    out = np.zeros((n, n))
    places = np.indices(labels.shape).reshape(2, -1).T.astype(float)
    for label in np.unique(labels):
        pixels = np.flatnonzero(labels.ravel() == label)
        x = places[pixels]
        x = (x - x.mean(axis=0)) / np.maximum(np.ptp(x, axis=0), 1)
        powers = [(i, t - i) for t in range(degree + 1) for i in range(t + 1)]
        basis = np.stack([x[:, 0] ** a * x[:, 1] ** b for a, b in powers], axis=1)
        root = np.sqrt(w[pixels])[:, None]
        inverse = np.linalg.pinv(root * basis, rcond=1e-9)
        out[np.ix_(pixels, pixels)] = basis @ inverse * root.T
    return out


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("weighted", [False, True])
def test_jacobian_is_the_block_projector(rng, degree, weighted):
    image = rng.random((9, 11))
    labels = regions(image, min_size=4)
    assert labels.max() >= 2
    weights = rng.uniform(0.5, 2, image.shape) if weighted else None
    spline = project_regions(image, labels, degree, weights=weights)
    want = jacobian(labels, weights, degree)
    eye = np.eye(image.size).reshape(-1, *image.shape)
    # 99 pixels, condition below 1e3
    np.testing.assert_allclose(spline.jvp(eye).reshape(99, 99).T, want, rtol=0, atol=1e-11)
    np.testing.assert_allclose(spline.vjp(eye).reshape(99, 99), want, rtol=0, atol=1e-11)
    np.testing.assert_allclose(spline.values.ravel(), want @ image.ravel(), rtol=0, atol=1e-11)
    residual = image - spline.values
    assert spline.cost == pytest.approx(np.sum(residual**2 * (1 if weights is None else weights)), rel=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_projector_is_idempotent_self_adjoint_and_keeps_polynomials(height, width, degree, weighted, seed):
    rng = np.random.default_rng(seed)
    shape = (height, width)
    labels = regions(rng.random(shape), connectivity=8)
    weights = rng.uniform(0.1, 10, shape) if weighted else None
    spline = project_regions(rng.random(shape), labels, degree, weights=weights)
    u, v = rng.standard_normal((2, *shape))
    once = spline.jvp(v)
    # norm of at most sqrt(max w / min w) = 10, sums of at most 144 terms, a basis orthonormal to a few eps
    atol = 10 * 144 * 8 * EPS * np.abs(v).max()
    np.testing.assert_allclose(spline.jvp(once), once, rtol=0, atol=10 * atol)
    assert np.sum(u * once) == pytest.approx(np.sum(spline.vjp(u) * v), abs=144 * atol)
    i, j = np.indices(shape)
    polynomial = sum(
        rng.standard_normal() * i**a * j**b for a in range(4) for b in range(4 - a) if a + b <= degree
    )
    np.testing.assert_allclose(
        spline.jvp(polynomial), polynomial, rtol=0, atol=atol * max(1, np.abs(polynomial).max())
    )


def test_scipy_means(rng):
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    image = rng.random((64, 48))
    labels = regions(ndimage.gaussian_filter(image, 2), connectivity=8)
    means = ndimage.mean(image, labels, np.arange(labels.max() + 1))
    np.testing.assert_allclose(project_regions(image, labels).values, means[labels], rtol=64 * EPS)


@pytest.mark.parametrize("degree", DEGREES)
def test_a_row_is_a_signal_in_one_dimension(rng, degree):
    """On one row of pixels the projection is that of the one-dimensional pieces."""
    y = rng.standard_normal(60).cumsum()
    spline = fit(y, 5, degree)
    labels = np.repeat(np.arange(5), np.diff(spline.breakpoints))
    ours = project_regions(y[None], labels[None], degree)
    np.testing.assert_allclose(ours.values[0], spline.values, rtol=0, atol=256 * EPS * np.abs(y).max())


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("offset", [1e6, 1e12])
def test_an_offset_drops_out(rng, degree, offset):
    image = np.round(rng.random((20, 30)) * 1024) / 1024 + offset  # exact at 1e12
    labels = regions(image - offset, min_size=20)
    ours = project_regions(image, labels, degree).values - offset
    want = project_regions(image - offset, labels, degree).values
    np.testing.assert_allclose(ours, want, rtol=0, atol=2 * np.spacing(offset))


@pytest.mark.parametrize("degree", DEGREES)
def test_missing_pixels_are_not_read_and_are_predicted(degree):
    i, j = np.indices((8, 9)).astype(float)
    image = (2 + i - j) ** degree
    weights = np.ones_like(image)
    holes = image.copy()
    holes[2, 3] = holes[7, 8] = np.nan
    weights[2, 3] = weights[7, 8] = 0
    spline = project_regions(holes, np.zeros((8, 9), int), degree, weights=weights)
    np.testing.assert_allclose(spline.values, image, rtol=0, atol=256 * EPS * np.abs(image).max())


@pytest.mark.parametrize("degree", DEGREES)
def test_thin_regions(degree):
    """A diagonal line two pixels wide, a cross and a single pixel: fewer independent polynomials."""
    i, j = np.indices((40, 40))
    labels = np.where((i == j) | (i == j + 1), 1, np.where((i == 30) | (j == 10), 2, 0))
    labels[0, 39] = 3
    image = np.random.default_rng(0).random((40, 40))
    spline = project_regions(image, labels, degree)
    want = jacobian(labels, None, degree) @ image.ravel()
    np.testing.assert_allclose(spline.values.ravel(), want, rtol=0, atol=1e-11)
    assert spline.values[0, 39] == image[0, 39]


def test_label_maps_of_any_numbers_batches_and_dtypes(rng):
    image = rng.random((2, 3, 6, 7)).astype(np.float32)
    numbers = rng.integers(0, 4, image.shape)
    spline = project_regions(image, numbers, 1)
    assert spline.values.dtype == np.float32
    assert spline.cost.shape == (2, 3)
    other = project_regions(image, np.array([-7, 2**31 - 1, 12, 0])[numbers], 1)
    np.testing.assert_allclose(other.values, spline.values, rtol=0, atol=1e-6)
    one = project_regions(image[1, 2], numbers[1, 2], 1)
    np.testing.assert_array_equal(one.values, spline.values[1, 2])
    shared = project_regions(image, numbers[0, 0], 1)
    np.testing.assert_array_equal(shared.values[1, 1], project_regions(image[1, 1], numbers[0, 0], 1).values)
    np.testing.assert_array_equal(spline.jvp(image[None])[0], spline.jvp(image))
    assert repr(one).startswith("RegionSpline(6 x 7, degree=1, cost=")
    assert repr(spline).startswith("RegionSpline(batch=(2, 3), 6 x 7, degree=1, total_cost=")


def test_empty_batch():
    assert project_regions(np.zeros((0, 3, 4)), np.zeros((0, 3, 4), int), 2).values.shape == (0, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"image": [[1.0, np.nan]]},
            ValueError,
            r"`image` must be finite; image\[0, 1\] = nan. Repair it, or",
        ),
        ({"image": np.zeros(2)}, ValueError, r"`image` must have a shape"),
        ({"labels": [[0.0, 1.0]]}, TypeError, "`labels` must hold integers"),
        ({"labels": [[0], [1]]}, ValueError, r"`labels` must have the shape of `image`, \(1, 2\)"),
        ({"degree": 4}, ValueError, "`degree` must be from 0 to 3; got 4"),
        ({"weights": [[1.0, -2.0]]}, ValueError, r"`weights` must not be negative; weights\[0, 1\] = -2"),
        ({"weights": [[1.0, np.nan]]}, ValueError, r"`weights` must be finite; .* Use 0 for a missing pixel"),
        ({"weights": [1.0, 1.0]}, ValueError, r"`weights` must have the shape of `image`"),
        ({"weights": [[1.0, 0.0]]}, ValueError, "each region needs a pixel of positive weight; region 1 has"),
        (
            {"image": np.zeros((2, 1, 2)), "weights": [[[1.0, 1.0]], [[0.0, 1.0]]]},
            ValueError,
            "region 0 of image 1 has none. Join it",
        ),
        ({"image": [[1e200, -1e200]], "labels": [[0, 0]]}, ValueError, "sums leave the range of float64"),
    ],
)
def test_errors(unchecked, arguments, error, message):
    with pytest.raises(error, match=message):
        unchecked.project_regions(**{"image": [[1.0, 2.0]], "labels": [[0, 1]], **arguments})


def test_product_of_another_shape(unchecked):
    spline = unchecked.project_regions(np.zeros((2, 3)), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match=r"`v` must end in the shape of the values, \(2, 3\); got \(3, 3\)"):
        spline.jvp(np.zeros((3, 3)))
