"""Fast diagonalisation: the exact inverse for constant coefficients, by eigenvectors along each direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._solvers.box_system import BoxSystem
from fem_diff._solvers.cg import ConvergenceError, dot
from fem_diff._solvers.system import Callback, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from fem_diff._boxes.contract import BoxTables
    from fem_diff._boxes.space import LagrangeSpace
    from fem_diff._forms.form import Form

LIMIT = 4  # corrections by the inverse of the residual; the first one measures the error
LARGEST = {1: 200, 2: 1500, 3: 1500}  # nodes per direction up to which this beats multigrid, by dimension


class Diagonalization(BoxSystem):
    r"""$K^{-1} = (V \otimes W)(\nu\lambda_i + \nu\mu_j + \sigma)^{-1}(V \otimes W)^T$, exact up to rounding.

    The columns of V solve $K_1 v = \lambda M_1 v$, $v^T M_1 v = 1$, with the stiffness and mass matrices
    along the first direction; W those along the second. Preparing takes O(n^3) time for n nodes along a
    direction, a solve O(N n). The solution is corrected by that of its residual, and the tolerance bounds the
    relative error in the energy norm before the last correction. Lynch, Rice & Thomas, *Direct solution of
    partial difference equations by tensor product methods*, 1964.

    Raises:
        ValueError: `obstacle` names one.
    """

    def __init__(
        self,
        form: Form,
        coefficients: Sequence[Tensor],
        fixed: Tensor,
        batch: tuple[int, ...],
        tol: float,
    ) -> None:
        why = obstacle(form, coefficients, fixed)
        if why is not None:
            raise ValueError(f"`solver`='diagonalization' cannot be used: {why}. Use solver='multigrid'.")
        super().__init__(form, coefficients, fixed, batch, tol)
        like, ndim = self.tables.weights, self.space.ndim
        matrices = [line_matrices(self.space, self.tables, axis) for axis in range(ndim)]
        inside = [
            self.free.movedim(axis, 0).reshape(size, -1).any(1) for axis, size in enumerate(fixed.shape)
        ]
        pairs: list[tuple[Tensor, Tensor]] = []
        for axis, (free, (stiffness, mass)) in enumerate(zip(inside, matrices, strict=True)):
            same = [k for k in range(axis) if _equal(inside[k], free) and _equal(matrices[k][0], stiffness)]
            pairs.append(pairs[same[0]] if same else _eigenpairs(stiffness, mass, free.cpu()))
        self.vectors = [vectors.to(like) for _, vectors in pairs]
        first = (..., *(slice(0, 1),) * ndim)
        of_pairs = {term.pairs: c[first] for term, c in zip(form.terms, self.coefficients, strict=True)}
        spectrum = of_pairs.get(((ndim, ndim),), like.new_zeros((1,) * (ndim + 1)))
        for term_pairs, c in of_pairs.items():
            for axis in (i for i, _ in term_pairs if i < ndim):
                spectrum = spectrum + c * pairs[axis][0].to(like).view(-1, *(1,) * (ndim - 1 - axis))
        if self.mean is not None:  # the constant, which the load does not contain
            spectrum[(slice(None), *(0,) * ndim)] = torch.inf
        self.spectrum = spectrum

    def _inverse(self, r: Tensor) -> Tensor:
        for vectors in self.vectors:  # the first direction is contracted and comes back as the last
            r = (
                (vectors.T @ r.reshape(len(r), len(vectors), -1))
                .view(len(r), -1, *r.shape[2:])
                .movedim(1, -1)
            )
        r = r / self.spectrum
        for vectors in self.vectors:
            r = (
                (vectors @ r.reshape(len(r), vectors.shape[1], -1))
                .view(len(r), -1, *r.shape[2:])
                .movedim(1, -1)
            )
        return r.contiguous()

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        x = self._inverse(rhs)
        energy = dot(rhs, x)
        energy, errors = torch.where(energy > 0, energy, 1.0), []
        while True:
            r = torch.where(self.free, rhs - self.apply(x), 0.0)
            correction = self._inverse(r)
            x += correction
            errors.append((dot(r, correction).clamp_min(0) / energy).sqrt())
            if callback is not None:
                callback(len(errors), LIMIT, float(errors[-1].max()))
            if bool((errors[-1] <= self.tol).all()):
                break
            if len(errors) == LIMIT:
                worst = int(errors[-1].argmax())
                raise ConvergenceError(
                    f"fast diagonalisation stands at the relative error {float(errors[-1][worst]):.3g} "
                    f"in sample {worst}, short of `tol` = {self.tol:g}. Use float64 or a larger `tol`."
                )
        iterations = torch.full((len(rhs),), len(errors), dtype=torch.int64, device=rhs.device)
        return x, Record(iterations, torch.stack(errors))


def obstacle(form: Form, coefficients: Sequence[Tensor], fixed: Tensor) -> str | None:
    """Why fast diagonalisation does not apply to a problem; None if it does."""
    if any(term.side is not None for term in form.terms):
        return "a side has a Robin condition"
    if not form.is_diagonal:
        return "the diffusivity is a matrix with mixed entries"
    ndim = form.space.ndim
    for term, c in zip(form.terms, coefficients, strict=True):
        name = "reaction" if term.pairs == ((ndim, ndim),) else "diffusivity"
        if c.shape[-ndim:].numel() > 1:
            flat = c.detach().flatten(-ndim)
            if not bool((flat.amin(-1) == flat.amax(-1)).all()):
                return f"the {name} is not constant"
    lines = [fixed.movedim(axis, 0).reshape(size, -1).all(1) for axis, size in enumerate(fixed.shape)]
    whole = torch.zeros_like(fixed)
    for axis, line in enumerate(lines):
        whole |= line.view(-1, *(1,) * (ndim - 1 - axis))
    return None if _equal(whole, fixed) else "the Dirichlet condition covers a part of a side"


def pays(form: Form, coefficients: Sequence[Tensor], fixed: Tensor, *, nests: bool) -> bool:
    """Whether fast diagonalisation applies to a problem and is faster than multigrid.

    Nested iteration, where multigrid would use it, takes about half the time of conjugate gradients from
    zero.
    """
    largest = LARGEST[form.space.ndim] // (2 if nests else 1)
    return max(form.space.node_shape) <= largest and obstacle(form, coefficients, fixed) is None


def line_matrices(
    space: LagrangeSpace, tables: BoxTables, axis: int
) -> tuple[Float[Tensor, "n n"], Float[Tensor, "n n"]]:
    """Stiffness and mass matrix along one direction, in float64 on the CPU."""
    degree, nodes = tables.degree, space.node_shape[axis]
    values, slopes, weights = (
        t.double().cpu() for t in (tables.values, tables.derivatives[axis], tables.axis_weights[axis])
    )
    blocks = weights.view(-1, len(values), 1)
    dofs = torch.arange(len(blocks))[:, None] * degree + torch.arange(degree + 1)
    found = []
    for basis in (slopes, values):
        local = basis.mT @ (blocks * basis)
        place = (dofs[:, :, None].expand_as(local) % nodes, dofs[:, None, :].expand_as(local) % nodes)
        found.append(local.new_zeros(nodes, nodes).index_put_(place, local, accumulate=True))
    return found[0], found[1]


def _eigenpairs(stiffness: Tensor, mass: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
    """Of the free nodes; the vectors are the columns, normal in the mass matrix, zero at the others."""
    inside = free.nonzero().flatten()
    lower = torch.linalg.cholesky(mass[inside][:, inside])
    half = torch.linalg.solve_triangular(lower, stiffness[inside][:, inside], upper=False)
    symmetric = torch.linalg.solve_triangular(lower, half.T, upper=False)
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    vectors = torch.linalg.solve_triangular(lower.T, vectors, upper=True)
    return values, vectors.new_zeros(len(free), len(inside)).index_copy_(0, inside, vectors)


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a == b).all())
