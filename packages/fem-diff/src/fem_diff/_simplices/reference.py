"""The reference simplex: quadrature, and Lagrange polynomials on its lattice of nodes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from fem_diff._boxes.reference import gauss_rule

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray


def conical_rule(ndim: int, points: int) -> tuple[Float[ndarray, "q vertices"], Float[ndarray, " q"]]:
    r"""Barycentric coordinates and weights, which sum to one; exact up to degree `2 * points - ndim`.

    Gauss points of the cube, moved into the simplex by $x_i = t_i \prod_{j<i} (1 - t_j)$ (Duffy 1982); the
    Jacobian $\prod_j (1 - t_j)^{D - j}$ takes part of the exactness and leaves every weight positive.
    """
    x, w = gauss_rule(points)
    t = np.array(list(itertools.product((x + 1) / 2, repeat=ndim)))
    weights = np.array(list(itertools.product(w / 2, repeat=ndim))).prod(1)
    barycentric = np.empty((len(t), ndim + 1))
    rest = np.ones(len(t))
    for i in range(ndim):
        weights = weights * (1 - t[:, i]) ** (ndim - 1 - i)
        barycentric[:, i] = rest * t[:, i]
        rest = rest * (1 - t[:, i])
    barycentric[:, ndim] = rest
    return barycentric, weights / weights.sum()


def lattice(ndim: int, degree: int) -> Int[ndarray, "local degree"]:
    """The nodes of the element: the multisets of `degree` of its vertices, of which each node is the mean.

    Nodes of neighbours coincide where their multisets do, so this numbers vertices, edges and faces at once.
    """
    return np.array(list(itertools.combinations_with_replacement(range(ndim + 1), degree)))


def subdivision(ndim: int, degree: int) -> Int[ndarray, "pieces vertices"]:
    r"""The simplices of one degree-th of the size into which the lattice cuts the element, by its nodes.

    In the coordinates $y_i = \sum_{v \ge i} \lambda_v$, which decrease with i, the element is one of the
    simplices into which the planes $y_i = y_j$ cut a cube, and so are the pieces (Freudenthal 1942).
    """
    nodes = lattice(ndim, degree)
    multiplicity = (nodes[:, :, None] == np.arange(ndim + 1)).sum(1)
    # y_i = sum of the multiplicities of the vertices i, ..., ndim: decreasing, from 0 to the degree
    number = {tuple(row[::-1].cumsum()[::-1][1:]): k for k, row in enumerate(multiplicity)}
    pieces = []
    for corner in itertools.product(range(degree), repeat=ndim):
        for order in itertools.permutations(range(ndim)):
            path = [np.array(corner)]
            for axis in order:
                path.append(path[-1] + (np.arange(ndim) == axis))
            piece = [number.get(tuple(point)) for point in path]
            if None not in piece:
                pieces.append(piece)
    return np.array(pieces)


def simplex_basis(
    degree: int, barycentric: Float[ndarray, "q vertices"]
) -> tuple[Float[ndarray, "q local"], Float[ndarray, "q local vertices"]]:
    r"""Values of the Lagrange basis at some points, and derivatives by each barycentric coordinate.

    With $\alpha_v$ the multiplicity of vertex v in a node, the basis function is
    $\prod_v \prod_{m < \alpha_v} (d \lambda_v - m) / (m + 1)$ (Nicolaides 1972).
    """
    vertices = barycentric.shape[1]
    nodes = lattice(vertices - 1, degree)
    multiplicity = (nodes[:, :, None] == np.arange(vertices)).sum(1)
    # factor[m, q, v] = prod_{i < m} (d lambda_v - i) / (i + 1), and its derivative
    factor = [np.ones_like(barycentric)]
    slope = [np.zeros_like(barycentric)]
    for m in range(degree):
        step = (degree * barycentric - m) / (m + 1)
        slope.append(slope[-1] * step + factor[-1] * degree / (m + 1))
        factor.append(factor[-1] * step)
    factors, slopes = np.array(factor), np.array(slope)
    v = np.arange(vertices)
    each = factors[multiplicity, :, v]  # (local, vertices, q)
    values = each.prod(1)
    derivatives = np.empty((len(nodes), vertices, len(barycentric)))
    for k in v:
        others = np.delete(each, k, axis=1).prod(1)
        derivatives[:, k] = slopes[multiplicity[:, k], :, k] * others
    return values.T.copy(), derivatives.transpose(2, 0, 1).copy()
