"""The reference interval [-1, 1]: Gauss rules and Lagrange polynomials on equally spaced nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def gauss_rule(points: int) -> tuple[Float[ndarray, " q"], Float[ndarray, " q"]]:
    """Points and weights of the Gauss-Legendre rule, exact for polynomials of degree `2 * points - 1`."""
    return np.polynomial.legendre.leggauss(points)


def lagrange_basis(
    degree: int, x: Float[ndarray, " p"]
) -> tuple[Float[ndarray, "p local"], Float[ndarray, "p local"]]:
    r"""Values and derivatives at `x` of the $\ell_i$ with $\ell_i(x_j) = \delta_{ij}$ (DSA eq. 8).

    The nodes $x_j$ are `degree + 1` equally spaced points of [-1, 1], both ends included.
    """
    nodes = np.linspace(-1.0, 1.0, degree + 1)
    powers = np.arange(degree + 1)
    coefficients = np.linalg.inv(nodes[:, None] ** powers)  # column i: the monomial coefficients of l_i
    values = x[:, None] ** powers
    derivatives = powers * x[:, None] ** np.maximum(powers - 1, 0)
    return values @ coefficients, derivatives @ coefficients


def cell_averages(degree: int, weights: Float[ndarray, " q"]) -> Float[ndarray, "cells q"]:
    """Averages over the `degree` equal cells of [-1, 1] of a function given at Gauss points.

    The function is read as constant on consecutive intervals as long as the weights; each Gauss point lies in
    its own interval (Chebyshev-Markov-Stieltjes). The matrix is non-negative with unit row sums, so positive
    values have positive averages, and integrals are kept.
    """
    ends = np.concatenate([[0.0], np.cumsum(weights)])
    edges = np.linspace(0.0, ends[-1], degree + 1)
    overlap = np.minimum(edges[1:, None], ends[1:]) - np.maximum(edges[:-1, None], ends[:-1])
    return np.maximum(overlap, 0.0) * degree / ends[-1]
