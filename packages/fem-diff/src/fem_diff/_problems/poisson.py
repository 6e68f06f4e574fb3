"""The Poisson problem with variable diffusivity and reaction."""

from __future__ import annotations

import torch
from torch import Tensor

from fem_diff._base.autograd import integrals
from fem_diff._data.boundary import prepare
from fem_diff._data.coefficients import (
    Data,
    check_batch,
    check_sign,
    common_tensor,
    finite_at_points,
)
from fem_diff._data.conditions import Boundary, placed
from fem_diff._data.unknowns import Unknowns
from fem_diff._forms.anisotropic import Anisotropic, diffusion
from fem_diff._forms.form import Form, Term
from fem_diff._forms.null_space import balanced, check_held
from fem_diff._spaces import Space


class Poisson(Unknowns):
    r"""$-\nabla\cdot(\nu\nabla u) + \sigma u = f$ with boundary conditions (DSA eq. 12, 13).

    Coefficients are given in any of these forms, with batch axes in front that broadcast with each other:

    - a number or a tensor without axes;
    - a callable of the coordinates, evaluated at the quadrature points (Dirichlet values: at the nodes);
    - a tensor of nodal values, last axes `space.node_shape`, interpolated by the basis of the space;
    - a tensor with one value per element, last axes `space.element_shape`;
    - a tensor of values at the quadrature points, last axes `space.quadrature_shape`.

    Tensors keep their place in the autograd graph, and they decide dtype and device; without any, the problem
    is in float64 on the CPU. A rule of d + 1 Gauss points integrates nodal coefficients of degree 2 and 3 and
    callables only approximately, which keeps the order of convergence; `LagrangeSpace(..., quadrature=)` adds
    points.

    On the boundary, `boundary` is one of

    - data: Dirichlet values everywhere, such as `boundary=0.0` or a tensor of nodal values of which those on
      the boundary are read;
    - a condition, `Dirichlet`, `Neumann` or `Robin`, or a list of them, for the whole boundary, each held
      to a part of it by its `where`;
    - a dictionary from the names of sides to any of these: `left` and `right` are the low and high end of the
      first direction, `bottom` and `top` of the second, `back` and `front` of the third. Tensors then have
      the axes of the side, which are those of the box without the one that it ends. On triangles and
      tetrahedra the names are those of the mesh.

    Where nothing is given, the natural condition holds: no flux. In a periodic direction (a property of the
    mesh) there is no boundary. If neither Dirichlet values nor a reaction nor a Robin coefficient hold the
    constant, the source and the flux must cancel, and the solution is the one with the mean zero.

    Args:
        space: the space of the solution.
        diffusivity: nu, positive, or an `Anisotropic` matrix.
        reaction: sigma, not negative.
        source: f.
        boundary: see above.
        indefinite: allows a negative reaction, as in Helmholtz's equation with sigma = -k^2. Such a problem
            has no minimum of the energy, and only the direct solver takes it.

    Raises:
        ValueError: a shape that is none of the above, batch axes that do not broadcast, values that are not
            finite, diffusivity that is not positive (definite) or reaction or Robin coefficient that is
            negative at a quadrature point, a side that the mesh does not have, or a source that does not
            cancel with the flux although nothing holds the constant.
        TypeError: tensors of different dtype or device, or not of floating point.

    Attributes:
        space: as given.
        batch: the common batch shape.
        tables: basis matrices and weights at the quadrature points.
        form: the bilinear form of the problem.
        coefficients: of its terms, at the quadrature points or broadcasting with them: diffusivity (one, or
            the entries of the upper triangle), reaction (unless it is the number zero), Robin.
        load: the integrals of f and of the boundary data against the basis functions.
        boundary: nodal Dirichlet values, zero elsewhere.
        fixed: True at the nodes with Dirichlet values.
        is_singular: whether nothing holds the constant.
        indefinite: as given.

    Example:
        >>> import torch
        >>> from fem_diff import Dirichlet, LagrangeSpace, Neumann, Poisson, Robin, unit_square
        >>> space = LagrangeSpace(unit_square(16), degree=2)
        >>> nu = torch.full((16, 16), 2.0, dtype=torch.float64)
        >>> Poisson(space, diffusivity=nu, source=lambda x, y: x * y, boundary=1.0)
        Poisson(Q2, elements=(16, 16), batch=())
        >>> sides = {"left": Dirichlet(0.0), "right": Neumann(lambda x, y: y), "top": Robin(2.0, 1.0)}
        >>> Poisson(space, diffusivity=nu, boundary=sides)
        Poisson(Q2, elements=(16, 16), batch=())
    """

    def __init__(
        self,
        space: Space,
        *,
        diffusivity: Data | Anisotropic = 1.0,
        reaction: Data = 0.0,
        source: Data = 0.0,
        boundary: Boundary = 0.0,
        indefinite: bool = False,
    ) -> None:
        if not isinstance(space, Space):
            raise TypeError(f"`space` must be a LagrangeSpace or a SimplexSpace; got {type(space).__name__}.")
        conditions = placed(boundary, space)
        data: dict[str, Data] = {
            "diffusivity": diffusivity.matrix if isinstance(diffusivity, Anisotropic) else diffusivity,
            "reaction": reaction,
            "source": source,
        }
        for condition in conditions:
            data |= condition.data
        like = common_tensor(data)
        ndim = space.ndim
        self.space, self.indefinite = space, indefinite
        self.tables = space.tabulate(like=like)

        terms, coefficients = diffusion("diffusivity", diffusivity, space, self.tables)
        names = ["diffusivity"] * len(terms)
        self._diffusions = len(terms)
        if not (isinstance(reaction, (int, float)) and reaction == 0):
            values = finite_at_points("reaction", reaction, space, self.tables)
            if not indefinite:
                hint = " For Helmholtz's equation pass `indefinite=True`, and solver='direct' to solve."
                values = check_sign("reaction", values, zero=True, hint=hint)
            terms, coefficients = (*terms, Term(((ndim, ndim),))), (*coefficients, values)
            names.append("reaction")
        prepared = prepare(conditions, space, self.tables)
        for side, alpha in prepared.robin:
            terms, coefficients = (*terms, Term(((0, 0),), side)), (*coefficients, alpha)
            names.append("coefficient of Robin")
        self.form, self.coefficients = Form(space, self.tables, terms), coefficients
        self.fixed, self.boundary = prepared.fixed, prepared.values

        source_values = finite_at_points("source", source, space, self.tables)
        shapes = [
            (name, tuple(c.shape[: c.dim() - self.form.axes_of(term)]))
            for name, term, c in zip(names, terms, coefficients, strict=True)
        ]
        shapes += [("source", tuple(source_values.shape[: -space.axes])), *prepared.batches]
        self.batch = check_batch(shapes)

        loads = [integrals(source_values, self.tables)]
        held_by_fixed = bool(self.fixed.any())
        self.is_singular = not held_by_fixed and len(terms) == self._diffusions
        if prepared.load is not None:
            loads.append(prepared.load[0])
        self.load = sum(loads[1:], loads[0])
        if self.is_singular:
            gross = [integrals(source_values.abs(), self.tables)]
            if prepared.load is not None:
                gross.append(prepared.load[1])
            self.load = balanced(self.load, sum(gross[1:], gross[0]), self.tables)
        elif not held_by_fixed and not indefinite:
            self.coefficients = check_held(self.form, self.coefficients, self._diffusions)

    @property
    def diffusivity(self) -> Tensor:
        """At the quadrature points, or broadcasting with them; the last two axes those of a matrix if so."""
        entries = self.coefficients[: self._diffusions]
        if not self.is_anisotropic:
            return entries[0]
        found = {term.pairs[0]: entry for term, entry in zip(self.form.terms, entries, strict=False)}
        ndim = self.space.ndim
        shared = dict(zip(found, torch.broadcast_tensors(*found.values()), strict=True))
        rows = [torch.stack([shared[min(i, j), max(i, j)] for j in range(ndim)], -1) for i in range(ndim)]
        return torch.stack(rows, -2)

    @property
    def is_anisotropic(self) -> bool:
        """Whether the diffusivity is a matrix."""
        return self._diffusions > 1

    @property
    def reaction(self) -> Tensor | None:
        """At the quadrature points, or broadcasting with them; None where it is the number zero."""
        return self.coefficients[self._diffusions] if self.form.has_value else None
