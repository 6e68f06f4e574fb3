"""Linear elasticity."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from fem_diff._base.autograd import checked, differentiable_evaluate, integrals
from fem_diff._boxes.faces import Side
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._data.boundary import prepare
from fem_diff._data.coefficients import (
    Data,
    check_batch,
    check_sign,
    common_tensor,
    finite_at_points,
    first_of,
)
from fem_diff._data.conditions import Dirichlet, Neumann, Placed
from fem_diff._forms.variational import EnergyProblem, Linearised
from fem_diff._solvers.levels import cycle

if TYPE_CHECKING:
    from jaxtyping import Float


OnSides = Mapping[str, Data | Sequence[Data | None]]


class Elasticity(EnergyProblem):
    r"""$-\nabla\cdot\sigma(u) = f$ in two (plane strain or stress) or three dimensions.

    $\sigma = \lambda\,\mathrm{tr}(\varepsilon) I + 2\mu\varepsilon$ with
    $\varepsilon = \frac12(\nabla u + \nabla u^T)$.

    The displacement u has shape `(*batch, ndim, *nodes)`. It minimises
    $\int \frac12\sigma:\varepsilon - f\cdot u - \int_\Gamma t\cdot u$. `solve` uses conjugate gradients,
    preconditioned by one scalar V-cycle per component for that component's own second derivatives, which is
    spectrally equivalent by Korn's inequality; the constant, and with it the number of steps, grows like
    $((\lambda + 2\mu)/\mu)^{1/2}$ towards incompressibility (Poisson's ratio 1/2), where elements of low
    degree lock as well.

    Args:
        space: of each component; two or three directions.
        young, poisson: E > 0 and -1 < nu < 1/2, in the forms of a diffusivity of `Poisson`; 1 and 0.3 if
            nothing is given.
        lame: instead of these, the pair (lambda, mu) with mu > 0 and ndim lambda + 2 mu > 0.
        plane: in two dimensions, "strain" (no strain across) or "stress" (no stress across: lambda becomes
            2 lambda mu / (lambda + 2 mu)).
        force: f, one of the forms of a source for each direction.
        boundary: displacements, by side: a number for all components or a sequence with one entry each, None
            where the component is free. Entries are numbers, callables of all coordinates or tensors of
            values at the nodes of the side, as for the sides of `Poisson`. At a node of several sides the
            last one given counts.
        traction: t by side, the force per area on it, likewise; entries in the forms of the flux of
            `Neumann`. Sides without are free.

    Raises:
        ValueError: one direction; moduli out of range, data that are not finite; an unknown side, another
            number of components; displacements that leave a rigid motion free.
        TypeError: tensors of different dtype or device, or not of floating point.

    Example:
        >>> from fem_diff import BoxMesh, Elasticity, LagrangeSpace, solve
        >>> beam = LagrangeSpace(BoxMesh((40, 4), bounds=((0.0, 10.0), (0.0, 1.0))), degree=2)
        >>> problem = Elasticity(beam, young=1e3, boundary={"left": 0.0}, traction={"right": (0.0, -0.1)})
        >>> solution = solve(problem)
        >>> bool(-0.38 < solution.u[1, -1, 0] < -0.36)  # 4 F l^3 (1 - nu^2) / (E b^3) = 0.364 and shear
        True
    """

    quadratic = True

    def __init__(
        self,
        space: LagrangeSpace,
        *,
        young: Data | None = None,
        poisson: Data | None = None,
        lame: Sequence[Data] | None = None,
        plane: Literal["strain", "stress"] = "strain",
        force: Sequence[Data] = (),
        boundary: OnSides,
        traction: OnSides | None = None,
    ) -> None:
        if not isinstance(space, LagrangeSpace):
            raise TypeError(f"`space` must be a LagrangeSpace; got {type(space).__name__}.")
        ndim = space.ndim
        if ndim == 1:
            raise ValueError("elasticity needs two or three directions; in one it is `Poisson`.")
        if plane not in ("strain", "stress") or (plane == "stress" and ndim != 2):
            raise ValueError(
                f"`plane` must be 'strain', or 'stress' in two dimensions; got {plane!r} in {ndim}."
            )
        if lame is not None and not (young is None and poisson is None):
            raise ValueError("`lame` excludes `young` and `poisson`. Give the one or the others.")
        if lame is not None and len(lame) != 2:
            raise ValueError(f"`lame` is the pair (lambda, mu); got {len(lame)} entries.")
        moduli: dict[str, Data] = {}
        if lame is None:
            moduli["young"] = 1.0 if young is None else young
            moduli["poisson"] = 0.3 if poisson is None else poisson
        else:
            moduli["lame[0]"], moduli["lame[1]"] = lame
        if len(force) not in (0, ndim):
            raise ValueError(f"`force` needs one entry per direction, {ndim}; got {len(force)}.")
        forces = {f"force[{k}]": part for k, part in enumerate(force)}
        sides = Side.all_of(space)
        given = _on_sides("boundary", boundary, sides, ndim)
        tractions = _on_sides("traction", traction or {}, sides, ndim)
        named: dict[str, Data] = {f"boundary[{side!r}]": part for side, _, part in given}
        named |= {f"traction[{side!r}]": part for side, _, part in tractions}
        like = common_tensor({**moduli, **forces, **named})

        self.space, self.tables = space, space.tabulate(like=like)
        first, second = (finite_at_points(name, data, space, self.tables) for name, data in moduli.items())
        if lame is None:
            first = check_sign("young", first, zero=False)
            second = checked(second, _check_poisson)
            self.shear = first / (2 * (1 + second))
            self.lame = first * second / ((1 + second) * (1 - 2 * second))
        else:
            second = check_sign("lame[1]", second, zero=False)
            check_sign("ndim * lame[0] + 2 * lame[1]", ndim * first + 2 * second, zero=False)
            self.lame, self.shear = first, second
        if plane == "stress":
            self.lame = 2 * self.lame * self.shear / (self.lame + 2 * self.shear)

        fixed, displacements, loads = [], [], []
        for k in range(ndim):
            conditions = [
                Placed(f"{name}[{side!r}]", kind(part), sides[side], bare=True)
                for name, kind, entries in (("boundary", Dirichlet, given), ("traction", Neumann, tractions))
                for side, component, part in entries
                if component == k
            ]
            prepared = prepare(conditions, space, self.tables)
            fixed.append(prepared.fixed)
            displacements.append(prepared.values)
            values = finite_at_points(f"force[{k}]", force[k] if force else 0.0, space, self.tables)
            load = integrals(values, self.tables)
            loads.append(load if prepared.load is None else load + prepared.load[0])
        self.load, self.boundary = _stacked(loads, ndim), _stacked(displacements, ndim)
        self.fixed = torch.stack(fixed)
        self._check_rigid()
        vector = {"force": self.load, "boundary": self.boundary}
        batches = [("moduli", tuple((self.shear * self.lame).shape[:-ndim]))]
        batches += [(name, tuple(part.shape[: -ndim - 1])) for name, part in vector.items()]
        self.batch = check_batch(batches)
        self.data = (self.load, self.lame, self.shear)

    def functional(self, u: Float[Tensor, "*batch_unknowns"], *data: Tensor) -> Float[Tensor, "*all_batch"]:
        load, lame, shear = data
        ndim = self.space.ndim
        partials = differentiable_evaluate(u, self.tables, value=False)
        stresses = self._stress(partials, lame, shear)
        work = sum((s * p).sum(-ndim - 1) for s, p in zip(stresses, partials, strict=True))
        axes = tuple(range(-ndim, 0))
        return (work * self.tables.weights).sum(axes) / 2 - (load * u).sum((-ndim - 1, *axes))

    def stress(self, u: Float[Tensor, "*batch_unknowns"]) -> Float[Tensor, "*all_batch_points"]:
        """The stress at the quadrature points, shape `(*batch, ndim, ndim, *points)`; differentiable."""
        partials = differentiable_evaluate(self.check_nodal("u", u), self.tables, value=False)
        return torch.stack(self._stress(partials, self.lame, self.shear), -self.space.ndim - 1)

    def linearise(self, u: Float[Tensor, "samples *unknowns"], *, single: bool = True) -> Linearised:
        ndim, tables, free = self.space.ndim, self.tables, ~self.fixed
        shape = (-1, *self.space.quadrature_shape)
        with torch.no_grad():
            lame, shear = (
                part.expand(*self.batch, *shape[1:]).reshape(shape)
                if part.dim() > ndim
                else part.expand(shape[1:]).unsqueeze(0)
                for part in (self.lame, self.shear)
            )
            weighted = lame * tables.weights, shear * tables.weights
            stiff = lame + 2 * shear
            cycles = [
                cycle(
                    self.space,
                    [stiff if axis == k else shear for axis in range(ndim)],
                    None,
                    free[k],
                    single=single,
                )
                for k in range(ndim)
            ]

        def apply(v: Tensor) -> Tensor:
            return tables.assemble(self._stress(tables.evaluate(v, value=False), *weighted), value=False)

        def precondition(r: Tensor) -> Tensor:
            return torch.stack([one(r[:, k]) for k, one in enumerate(cycles)], 1)

        size = (u * apply(u)).flatten(1).sum(1).clamp_min(0).sqrt()
        return Linearised(lambda v: apply(v).mul_(free), precondition, size)

    def _stress(self, partials: Sequence[Tensor], lame: Tensor, shear: Tensor) -> list[Tensor]:
        """The columns of the stress, each (*batch, ndim, *points), from the partial derivatives of u."""
        ndim = self.space.ndim
        component = -ndim - 1
        d = [[partial.select(component, i) for i in range(ndim)] for partial in partials]  # d[j][i]: d_j u_i
        pressure = lame * sum((d[k][k] for k in range(1, ndim)), d[0][0])
        return [
            torch.stack(
                [shear * (d[j][i] + d[i][j]) + (pressure if i == j else 0) for i in range(ndim)], component
            )
            for j in range(ndim)
        ]

    def _check_rigid(self) -> None:
        """Raises unless no rigid motion is zero at all fixed unknowns."""
        ndim = self.space.ndim
        x = [axis - axis.mean() for axis in self.space.nodes()]
        x = [axis / max(float(c.abs().max()) for c in x) for axis in x]
        motions = [torch.zeros(ndim, *self.space.node_shape, dtype=torch.float64) for _ in range(ndim)]
        for k, motion in enumerate(motions):
            motion[k] = 1
        straight = [k for k in range(ndim) if not self.space.mesh.periodic[k]]
        for i, j in itertools.combinations(straight, 2):  # along a ring a rotation would not close
            turn = torch.zeros_like(motions[0])
            turn[i], turn[j] = -x[j], x[i]
            motions.append(turn)
        held = torch.stack([motion[self.fixed.cpu()] for motion in motions])
        rank = int(torch.linalg.matrix_rank(held @ held.T)) if held.numel() else 0
        if rank < len(motions):
            raise ValueError(
                f"`boundary` leaves {len(motions) - rank} of {len(motions)} rigid motions free, so the "
                "displacement is not unique. Fix each component on a side, and rotations by more."
            )


def _on_sides(name: str, given: OnSides, sides: Mapping[str, Side], ndim: int) -> list[tuple[str, int, Data]]:
    """(side, component, data) in the order given."""
    if not isinstance(given, Mapping):
        raise TypeError(f"`{name}` must map sides to values; got {type(given).__name__}.")
    found: list[tuple[str, int, Data]] = []
    for side, entries in given.items():
        if side not in sides:
            raise ValueError(
                f"`{name}` names the side {side!r}; the sides are {', '.join(map(repr, sides))}."
            )
        if isinstance(entries, (Tensor, int, float)) or callable(entries):
            parts: Sequence[Data | None] = [entries] * ndim
        else:
            parts = entries
        if len(parts) != ndim:
            raise ValueError(f"`{name}`[{side!r}] needs one entry per component, {ndim}; got {len(parts)}.")
        found += [(side, k, part) for k, part in enumerate(parts) if part is not None]
    return found


def _stacked(parts: list[Tensor], ndim: int) -> Tensor:
    return torch.stack(torch.broadcast_tensors(*parts), -ndim - 1)


def _check_poisson(values: Tensor) -> None:
    bad = ~((values > -1) & (values < 0.5))
    if bad.any():
        raise ValueError(
            f"`poisson` must lie in (-1, 1/2); it is {first_of(values, bad)} at the quadrature points."
        )
