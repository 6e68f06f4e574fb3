"""Random arguments, good and bad: each call returns a right result or a clear error, and none crashes.

`KSPLINE_FUZZ_CASES` sets the number of cases; 400 unless told.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

CASES = int(os.environ.get("KSPLINE_FUZZ_CASES", "400"))
PART = 50  # cases with one seed
DTYPES = (np.float64, np.float32, np.int64, np.int8, np.uint16, np.bool_, np.float16, np.complex128)


def laid_out(rng, array):
    """The same numbers in another layout: Fortran order, strides, negative strides, unaligned, read-only."""
    kind = rng.integers(7)
    if kind == 1:
        return np.asfortranarray(array)
    if kind == 2 and array.ndim:
        wide = np.repeat(array, 2, axis=-1)
        return wide[..., ::2]
    if kind == 3 and array.ndim:
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    if kind == 4:
        array = np.array(array)
        array.flags.writeable = False
        return array
    if kind == 5 and array.size:
        memory = np.empty(array.nbytes + 1, np.uint8)
        view = memory[1:].view(array.dtype).reshape(array.shape)
        view[...] = array
        return view
    if kind == 6 and array.ndim > 1:
        return np.ascontiguousarray(np.moveaxis(array, 0, -1)).transpose(
            array.ndim - 1, *range(array.ndim - 1)
        )
    return array


def arguments(rng):
    shape = tuple(rng.integers(0 if rng.random() < 0.1 else 1, 5, rng.integers(0, 3)))
    n = int(rng.choice([0, 1, 2, 3, 5, 8, 17, 40, 70], p=[0.04, 0.06, 0.1, 0.1, 0.15, 0.15, 0.15, 0.15, 0.1]))
    shape = (*shape, n) if rng.random() > 0.02 else ()
    y = np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4))
    if y.size and rng.random() < 0.15:
        y[rng.random(shape) < 0.2] = rng.choice([np.nan, np.inf, 0.0, 1e308, 5e-324])
    common = rng.random() < 0.85
    with np.errstate(all="ignore"):
        y = np.asarray(y).astype(rng.choice(np.array(DTYPES[:2] if common else DTYPES, dtype=object)))
    options = {"degree": int(rng.integers(0, 4)), "threads": int(rng.integers(1, 4))}
    if rng.random() < 0.3:
        options["channels"] = True
    if rng.random() < 0.3:
        options["missing"] = "drop"
    if rng.random() < 0.3:
        w = rng.uniform(0, 2, shape if rng.random() < 0.7 else shape[-1:]) * (rng.random() < 0.95)
        w = w * (rng.random(w.shape) < 0.8) - (rng.random() < 0.05)
        options["weights"] = laid_out(rng, w)
    batch = shape[:-2] if options.get("channels") else shape[:-1]
    if rng.random() < 0.3:
        x = np.cumsum(
            rng.uniform(0 if rng.random() < 0.1 else 0.1, 2, (*batch, n) if rng.random() < 0.5 else n), -1
        )
        options["x"] = laid_out(rng, x.astype(np.float32) if rng.random() < 0.2 else x)
    for name in ("fixed", "forbidden"):
        if rng.random() < 0.15:
            options[name] = laid_out(
                rng, rng.integers(0 if rng.random() < 0.1 else 1, max(n, 2), rng.integers(0, 3))
            )
        elif rng.random() < 0.1:
            mask = rng.random((*batch, n)) < 0.1
            mask[..., :1] = False
            options[name] = laid_out(rng, mask)
    if rng.random() < 0.2:
        options["min_size"] = int(rng.integers(0, 5))
    if rng.random() < 0.4:
        options["method"] = str(rng.choice(["dense", "functional", "lagrangian", "greedy", "none"]))
    pieces = int(rng.integers(1, max(2, min(n + 2, 9))))
    return laid_out(rng, y), pieces, options


def check(spline, y, pieces, options):
    """What must hold of any result, told from the arguments by numpy alone."""
    degree, n = options["degree"], y.shape[-1]
    batch = y.shape[:-2] if options.get("channels") else y.shape[:-1]
    b = spline.breakpoints
    assert b.shape == (*batch, pieces + 1)
    assert spline.values.shape == y.shape
    assert spline.coefficients.shape == (*y.shape[:-1], pieces, degree + 1)
    assert spline.cost.shape == batch
    assert (b[..., 0] == 0).all()
    assert (b[..., -1] == n).all()
    assert (np.diff(b) >= 1).all()
    w = np.ones(y.shape) if spline.weights is None else spline.weights
    signal = np.where(w > 0, y, 0).astype(np.float64)
    axes = (-2, -1) if options.get("channels") else -1
    # values rounded to float32 differ from what the cost was taken of
    eps = np.finfo(spline.values.dtype).eps
    size = np.abs(signal).max(initial=0)
    if size < 1e150:
        residual = np.where(w > 0, signal - spline.values, 0)
        want = (w * residual**2).sum(axis=axes)
        slack = (
            n
            * y.size
            * w.max(initial=0)
            * ((64 * eps * size) ** 2 + 64 * eps * size * np.abs(residual).max(initial=0))
        )
        assert (np.abs(spline.cost - want) <= 1e-9 * want + slack).all()
        least = np.where(w > 0, w * signal**2, 0).sum(
            axis=axes
        )  # the spline 0 is one of those to choose from
        assert (spline.cost <= least * (1 + 1e-9) + slack).all()
    fixed = options.get("fixed")
    if fixed is not None and fixed.dtype != np.bool_:
        assert all(np.isin(fixed, row).all() for row in b.reshape(-1, pieces + 1))
    forbidden = options.get("forbidden")
    if forbidden is not None and forbidden.dtype != np.bool_:
        assert not np.isin(b[..., 1:-1], forbidden).any()
    product = spline.vjp(np.ones(y.shape))
    assert product.shape == y.shape
    assert np.isfinite(product).all()


@pytest.mark.parametrize("seed", range(max(1, CASES // PART)))
def test_any_arguments(unchecked, seed):
    rng = np.random.default_rng(seed)
    right = 0
    for _ in range(PART):
        y, pieces, options = arguments(rng)
        before = y.copy()
        try:
            spline = unchecked.fit(y, pieces, **options)
        except (ValueError, TypeError) as error:
            assert "`" in str(error) or "method=" in str(error)  # names the argument  # noqa: PT017
        else:
            check(spline, y, pieces, options)
            right += 1
        np.testing.assert_array_equal(y, before)
    assert right >= PART // 5  # the generator is not all refused


OF_PATHS = ("degree", "missing", "weights", "x", "min_size", "method")


@pytest.mark.parametrize("seed", range(max(1, CASES // PART)))
def test_any_arguments_of_paths_and_penalties(unchecked, seed):
    rng = np.random.default_rng(seed)
    right = 0
    for _ in range(PART):
        y, pieces, options = arguments(rng)
        y = laid_out(rng, y.reshape(-1)) if rng.random() < 0.9 else y
        options = {name: value for name, value in options.items() if name in OF_PATHS}
        if "weights" in options and rng.random() < 0.9:
            options["weights"] = laid_out(rng, np.resize(options["weights"], y.shape))
        if "x" in options and rng.random() < 0.9:
            options["x"] = np.arange(y.size) * 1.5
        penalty = float(rng.choice([0.0, 1e-3, 1.0, 1e300, np.inf, np.nan]))
        for name, call in (
            ("path", lambda y=y, k=pieces, o=options: unchecked.fit_path(y, k, **o)),
            ("penalised", lambda y=y, p=penalty, o=options: unchecked.fit_penalized(y, p, **o)),
        ):
            try:
                found = call()
            except (ValueError, TypeError) as error:
                assert "`" in str(error) or "method=" in str(error)  # names the argument  # noqa: PT017
                continue
            right += 1
            if name == "path":
                size = float(np.abs(y[np.isfinite(y)]).max(initial=0))
                heaviest = float(np.max(options.get("weights", 1)))
                with np.errstate(over="ignore"):  # a cost beyond the range is infinite, and so is its like
                    rounding = y.size * heaviest * np.square(64 * np.finfo(np.float64).eps * size)
                fewer = found.costs[:-1] * (1 + 1e-9) + rounding
                assert "min_size" in options or (found.costs[1:] <= fewer).all()
                assert [len(found.breakpoints(k + 1)) for k in range(pieces)] == list(range(2, pieces + 2))
            spline = found if name == "penalised" else found[pieces]
            assert spline.breakpoints[0] == 0
            assert spline.breakpoints[-1] == y.size
            if (
                float(np.abs(y[np.isfinite(y)]).max(initial=0)) < 1e150
            ):  # a polynomial may reach beyond the samples
                assert np.isfinite(spline.values).all()
    assert right >= PART // 5
