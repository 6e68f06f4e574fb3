"""A tensor-product spline as polynomials, one for each knot cell, in Bernstein form; in any dimension.

A Bernstein polynomial lies within the range of its coefficients. All decisions of the tracing and of the
quadrature about where a function can be zero rest on that.
"""

from __future__ import annotations

from itertools import product
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from implicit_seg._geometry.frame import Frame


def patches(coefficients: Float[np.ndarray, "*grid"], frame: Frame) -> Float[np.ndarray, "..."]:
    """Bernstein coefficients of every knot cell: shape (*cells, p + 1, ..., p + 1)."""
    p = frame.degree
    values = coefficients
    to_bernstein = np.linalg.inv(bernstein(np.linspace(0, 1, p + 1), p)[0])
    to_bernstein[0], to_bernstein[-1] = np.eye(p + 1)[0], np.eye(p + 1)[-1]  # exact: the ends are values
    for axis, cells in enumerate(frame.cells):
        rows = frame.basis(axis, cells * p + 1)  # at p + 1 points of each cell, ends shared
        nodes = np.moveaxis(np.tensordot(rows, values, (1, axis)), 0, axis)
        index = p * np.arange(cells)[:, None] + np.arange(p + 1)
        taken = np.take(nodes, index, axis=axis)  # (..., cells, p + 1, ...) at `axis`
        values = np.moveaxis(taken, axis + 1, -1) @ to_bernstein.T
    return np.ascontiguousarray(values)


def bernstein(t: Float[np.ndarray, "*points"], degree: int, order: int = 0) -> Float[np.ndarray, "..."]:
    """Bernstein polynomials at `t`, and their derivatives up to `order`: (order + 1, *points, degree + 1)."""
    result = np.zeros((order + 1, *t.shape, degree + 1))
    for k in range(min(order, degree) + 1):
        lower = degree - k
        basis = np.stack([comb(lower, i) * t**i * (1 - t) ** (lower - i) for i in range(lower + 1)], -1)
        scale = np.prod(np.arange(degree, lower, -1), initial=1.0)
        # the k-th derivative of a polynomial has the k-th differences of its coefficients
        result[k] = scale * basis @ np.diff(np.eye(degree + 1), n=k, axis=0)
    return result


def evaluate(
    polynomials: Float[np.ndarray, "..."], t: Float[np.ndarray, "..."], orders: Sequence[tuple[int, ...]]
) -> list[Float[np.ndarray, "..."]]:
    """Partial derivatives of many polynomials, each at its own points.

    Args:
        polynomials: (N, p + 1, ..., p + 1).
        t: (N, *points, dimension), local: the cell is the unit cube (other values continue the polynomial).
        orders: the order in each direction, for each derivative wanted; (0, 0) is the value.

    Returns:
        For each of `orders` an array (N, *points).
    """
    degree, dimension, count = polynomials.shape[-1] - 1, t.shape[-1], len(polynomials)
    highest = max(max(order) for order in orders)
    flat = t.reshape(count, int(np.prod(t.shape[1:-1])), dimension)
    bases = [bernstein(flat[..., axis], degree, highest) for axis in range(dimension)]
    results = []
    for order in orders:
        values = np.matmul(
            bases[0][order[0]], polynomials.reshape(count, degree + 1, (degree + 1) ** (dimension - 1))
        )
        for basis, k in zip(bases[1:], order[1:], strict=True):
            values = values.reshape(*flat.shape[:2], degree + 1, values.shape[-1] // (degree + 1))
            values = (values * basis[k][..., None]).sum(2)
        results.append(values.reshape(t.shape[:-1]))
    return results


def halves(polynomials: Float[np.ndarray, "..."], axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The two halves of every polynomial along one direction, by de Casteljau's algorithm."""
    degree = polynomials.shape[-1] - 1
    left = np.array(
        [[comb(i, j) / 2**i if j <= i else 0.0 for j in range(degree + 1)] for i in range(degree + 1)]
    )
    right = left[::-1, ::-1]
    moved = np.moveaxis(polynomials, axis + 1, -1)
    first, second = (np.moveaxis(moved @ half.T, -1, axis + 1) for half in (left, right))
    return first, second


def children(polynomials: Float[np.ndarray, "..."]) -> tuple[np.ndarray, np.ndarray]:
    """All cells halved in every direction: the parts, and their place (0 or 1 in each direction)."""
    dimension = polynomials.ndim - 1
    parts = [polynomials]
    for axis in range(dimension):
        parts = [half for part in parts for half in halves(part, axis)]
    places = np.array(list(product((0, 1), repeat=dimension)))
    return np.concatenate(parts), np.repeat(places, len(polynomials), axis=0)


def slopes(polynomials: Float[np.ndarray, "..."]) -> list[Float[np.ndarray, "n coefficients"]]:
    """For each direction, the Bernstein coefficients of the derivative, flattened."""
    degree, dimension = polynomials.shape[-1] - 1, polynomials.ndim - 1
    return [
        degree
        * np.diff(polynomials, axis=axis + 1).reshape(
            len(polynomials), degree * (degree + 1) ** (dimension - 1)
        )
        for axis in range(dimension)
    ]
