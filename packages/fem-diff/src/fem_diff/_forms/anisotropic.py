"""Diffusivity that depends on the direction: a symmetric positive definite matrix at each point."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._base.autograd import checked
from fem_diff._data.coefficients import Data, at_points, check_finite, finite_at_points, first_of
from fem_diff._forms.form import Term

if TYPE_CHECKING:
    from collections.abc import Callable

    from fem_diff._base.discrete import Tables
    from fem_diff._spaces import Space

SYMMETRIC = 100  # rounding errors by which the halves of a symmetric matrix may differ


@dataclass(frozen=True)
class Anisotropic:
    r"""A diffusivity $A$ in $-\nabla\cdot(A \nabla u)$: a symmetric positive definite matrix at each point.

    Args:
        matrix: a tensor whose last two axes are those of the matrix, (D, D), and whose axes in front of them
            are those of any form in which `Poisson` takes a scalar coefficient: none (a constant matrix), the
            nodes, the elements, the quadrature points, with batch axes in front of these. Or a callable of
            the coordinates that returns such a tensor for the points.

    Derivatives with respect to the matrix are symmetric.

    Example:
        >>> import torch
        >>> from fem_diff import Anisotropic, LagrangeSpace, Poisson, unit_square
        >>> wood = Anisotropic(torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64))
        >>> Poisson(LagrangeSpace(unit_square(8), degree=1), diffusivity=wood, source=1.0)
        Poisson(Q1, elements=(8, 8), batch=())
    """

    matrix: Tensor | Callable[..., Tensor]


def diffusion(
    name: str, data: Data | Anisotropic, space: Space, tables: Tables
) -> tuple[tuple[Term, ...], tuple[Tensor, ...]]:
    """The terms of the diffusion, and their coefficients at the quadrature points."""
    ndim = space.ndim
    nodal = isinstance(data, Tensor) and data.shape[-space.axes :] == space.node_shape
    hint = ""
    if nodal and space.degree > 1:
        hint = (
            " Nodal values of a degree above 1 can overshoot between the nodes: give it per element instead."
        )
    if not isinstance(data, Anisotropic):
        values = finite_at_points(name, data, space, tables, positive=True, hint=hint)
        return (Term(tuple((axis, axis) for axis in range(ndim))),), (values,)

    matrix = data.matrix
    if callable(matrix):
        matrix = torch.as_tensor(matrix(*space.quadrature_points(like=tables.weights))).to(tables.weights)
    if matrix.shape[-2:] != (ndim, ndim):
        raise ValueError(
            f"`{name}` is Anisotropic with an array of shape {tuple(matrix.shape)}; its last axes must be "
            f"{(ndim, ndim)}, the matrix at each point."
        )
    matrix = checked(matrix, lambda plain: _check_symmetry(name, plain))
    entries = {}
    for i, j in combinations_with_replacement(range(ndim), 2):
        entry = matrix[..., i, j] if i == j else (matrix[..., i, j] + matrix[..., j, i]) / 2
        entries[i, j] = check_finite(name, at_points(name, entry, space, tables), "at the quadrature points")
    _check_minors(name, entries, ndim)
    terms = tuple(Term(((i, i),) if i == j else ((i, j), (j, i))) for i, j in entries)
    return terms, tuple(entries.values())


def _check_symmetry(name: str, matrix: Tensor) -> None:
    slack = SYMMETRIC * torch.finfo(matrix.dtype).eps * matrix.abs().amax((-2, -1), keepdim=True)
    bad = (matrix - matrix.mT).abs() > slack
    if bad.any():
        raise ValueError(
            f"`{name}` must be symmetric; entry {first_of(matrix, bad)}, its mirror image differs. "
            "Use (A + A.mT) / 2."
        )


def _check_minors(name: str, entries: dict[tuple[int, int], Tensor], ndim: int) -> None:
    """Sylvester's criterion: positive definite is a symmetric matrix whose leading minors are positive."""
    a = torch.stack(torch.broadcast_tensors(*entries.values()), -1)
    numbers = {pair: k for k, pair in enumerate(entries)}

    def check(plain: Tensor) -> None:
        def entry(i: int, j: int) -> Tensor:
            return plain[..., numbers[min(i, j), max(i, j)]]

        full = torch.stack([torch.stack([entry(i, j) for j in range(ndim)], -1) for i in range(ndim)], -2)
        minors = [torch.linalg.det(full[..., :k, :k]) for k in range(1, ndim + 1)]
        smallest = torch.stack(minors).amin(0)
        bad = smallest <= 0
        if bad.any():
            raise ValueError(
                f"`{name}` must be positive definite; a leading minor is {first_of(smallest, bad)} "
                "at the quadrature points."
            )

    checked(a, check)
