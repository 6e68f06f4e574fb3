"""Tensor-product splines at scattered parameters, in NumPy and SciPy's sparse matrices.

Fits of clouds solve sparse systems, which lie on the CPU; so do the bases here, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

Array = np.ndarray


@dataclass(frozen=True)
class Axis:
    """Knots and degree of one direction."""

    knots: Array
    degree: int

    @property
    def count(self) -> int:
        """Number of control points."""
        return len(self.knots) - self.degree - 1

    @property
    def domain(self) -> tuple[float, float]:
        """Where parameters may lie."""
        return float(self.knots[self.degree]), float(self.knots[-self.degree - 1])

    @property
    def breakpoints(self) -> Array:
        """The distinct knots of the domain."""
        return np.unique(self.knots[self.degree : len(self.knots) - self.degree])

    def local(self, u: Array, order: int) -> tuple[Array, list[Array]]:
        """The basis functions that do not vanish at each parameter, and their derivatives.

        Returns:
            The index of the first one, shape (q,), and for each order 0, ..., `order` the derivatives of it
            and the next `degree` ones, shape (q, degree + 1).
        """
        end = self.domain[1]
        spans = np.searchsorted(self.knots, np.minimum(u, np.nextafter(end, -np.inf)), "right") - 1
        return spans - self.degree, [self._nonzero(u, spans, r) for r in range(order + 1)]

    def _nonzero(self, u: Array, spans: Array, order: int) -> Array:
        """Derivatives of the functions that do not vanish on the span of each parameter.

        Cox-de Boor's recursion up to degree p - order, then that of the derivatives (The NURBS Book, eq. 2.5
        and 2.7). The differences of knots contain the span and are not zero.
        """
        values = np.ones((len(u), 1))
        for d in range(1, self.degree + 1):
            i = spans[:, None] + np.arange(1 - d, 1)
            low, high = self.knots[i], self.knots[i + d]
            quotients = values / (high - low)
            values = np.zeros((len(u), d + 1))
            is_value = d <= self.degree - order
            values[:, :-1] += quotients * (high - u[:, None] if is_value else -d)
            values[:, 1:] += quotients * (u[:, None] - low if is_value else d)
        return values if order <= self.degree else np.zeros_like(values)

    def gram(self, first_order: int, second_order: int) -> scipy.sparse.csr_array:
        r"""Integrals $\int N_i^{(a)} N_j^{(b)}$ over the domain, exact: Gauss's rule on every span."""
        nodes, weights = np.polynomial.legendre.leggauss(self.degree + 1)
        widths = np.diff(self.breakpoints)[:, None] / 2
        u = (self.breakpoints[:-1, None] + widths * (nodes + 1)).ravel()
        first, values = self.local(u, max(first_order, second_order))
        left, right = (
            _sparse_rows(first[:, None] + np.arange(self.degree + 1), values[order], self.count)
            for order in (first_order, second_order)
        )
        return (left.T @ scipy.sparse.diags_array((widths * weights).ravel()) @ right).tocsr()


def _sparse_rows(columns: Array, values: Array, width: int) -> scipy.sparse.csr_array:
    """The matrix whose row k holds values[k] in columns[k]."""
    rows, count = columns.shape
    ends = np.arange(0, rows * count + 1, count)
    return scipy.sparse.csr_array((values.ravel(), columns.ravel(), ends), shape=(rows, width))


@dataclass(frozen=True)
class TensorProduct:
    """A surface's two axes."""

    u: Axis
    v: Axis

    @property
    def lower(self) -> Array:
        """Lower ends of the two domains."""
        return np.array([self.u.domain[0], self.v.domain[0]])

    @property
    def upper(self) -> Array:
        """Upper ends of the two domains."""
        return np.array([self.u.domain[1], self.v.domain[1]])

    def collocation(self, parameters: Array) -> scipy.sparse.csr_array:
        """Matrix (points, n_u n_v) of the products N_i(u) N_j(v); (p + 1)(q + 1) entries in a row."""
        (first_u, (values_u,)), (first_v, (values_v,)) = (
            axis.local(parameters[:, k], 0) for k, axis in enumerate((self.u, self.v))
        )
        i = first_u[:, None, None] + np.arange(self.u.degree + 1)[:, None]
        j = first_v[:, None, None] + np.arange(self.v.degree + 1)
        products = values_u[:, :, None] * values_v[:, None, :]
        columns = i * self.v.count + j
        rows = len(parameters)
        return _sparse_rows(
            columns.reshape(rows, -1), products.reshape(rows, -1), self.u.count * self.v.count
        )

    def derivatives(self, net: Array, parameters: Array, order: int) -> dict[tuple[int, int], Array]:
        """The surface of `net` (n_u, n_v, dim) and its partial derivatives up to a total order.

        Returns:
            (points, dim) for each pair of orders in u and v.
        """
        (first_u, u), (first_v, v) = (
            axis.local(parameters[:, k], order) for k, axis in enumerate((self.u, self.v))
        )
        i = first_u[:, None, None] + np.arange(self.u.degree + 1)[:, None]
        j = first_v[:, None, None] + np.arange(self.v.degree + 1)
        window = net[i, j]
        half = [np.einsum("kj,kijd->kid", values, window) for values in v]
        return {
            (a, b): np.einsum("ki,kid->kd", u[a], half[b])
            for a in range(order + 1)
            for b in range(order + 1 - a)
        }
