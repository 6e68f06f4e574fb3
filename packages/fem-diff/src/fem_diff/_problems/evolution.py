"""Gradient flows in time: steps, and derivatives through many of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fem_diff._base.autograd import differentiable_evaluate, integrals
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._data.coefficients import (
    Data,
    check_batch,
    check_finite,
    common_tensor,
    finite_at_points,
    on_nodes,
)
from fem_diff._data.unknowns import Unknowns
from fem_diff._field import Field
from fem_diff._forms.derivative import pulled_back
from fem_diff._forms.variational import Linearised, dirichlet
from fem_diff._problems.pointwise import (
    Hessian,
    Parts,
    PointwiseProblem,
    Potential,
    checked_parameters,
    second_derivative,
    square_of,
)
from fem_diff._solvers.newton import minimise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float

    from fem_diff._solvers.system import Callback


class Flow(Unknowns):
    r"""$c\,\partial_t u = \nabla\cdot(\nu\nabla u) - W'(u) + f$ with $u = g$ or no flux on the boundary.

    What `Heat` and `AllenCahn` have in common. Callables for f and g take time first, then the coordinates,
    then the parameters.
    """

    def __init__(
        self,
        space: LagrangeSpace,
        *,
        diffusivity: Data,
        capacity: Data,
        source: Data,
        boundary: Data | None,
        parameters: Sequence[Tensor],
        potential: Potential | None = None,
        stabilisation: float = 0.0,
    ) -> None:
        if not isinstance(space, LagrangeSpace):
            raise TypeError(f"`space` must be a LagrangeSpace; got {type(space).__name__}.")
        data = {"diffusivity": diffusivity, "capacity": capacity, "source": source}
        data |= {} if boundary is None else {"boundary": boundary}
        like = common_tensor({**data, **checked_parameters(parameters)})
        self.space: LagrangeSpace = space  # pyright: ignore[reportIncompatibleVariableOverride] (set once)
        self.tables = space.tabulate(like=like)
        self.points = space.quadrature_points(like=like)
        self.potential, self.stabilisation, self.parameters = potential, stabilisation, tuple(parameters)
        coefficients = {}
        for name, value in (("diffusivity", diffusivity), ("capacity", capacity)):
            coefficients[name] = finite_at_points(name, value, space, self.tables, positive=True)
        self.diffusivity, self.capacity = coefficients.values()
        self.source_in_time = source if callable(source) else None
        self.boundary_in_time = boundary if callable(boundary) else None
        self.source = self._load(0.0 if callable(source) else source)
        self.fixed, self.boundary = dirichlet(0.0 if callable(boundary) else boundary, space, self.tables)
        self.data = (self.diffusivity, self.capacity, self.source, self.boundary, *self.parameters)
        with torch.no_grad():
            at_zero = {
                "source": self._source_at(0.0, self.data),
                "boundary": self._boundary_at(0.0, self.data),
            }
        parts = {"diffusivity": self.diffusivity, "capacity": self.capacity, **at_zero}
        self.batch = check_batch([(name, tuple(part.shape[: -space.ndim])) for name, part in parts.items()])

    def _load(self, source: Data) -> Tensor:
        return integrals(finite_at_points("source", source, self.space, self.tables), self.tables)

    def _source_at(self, t: float, data: Sequence[Tensor]) -> Tensor:
        function = self.source_in_time
        return data[2] if function is None else self._load(lambda *x: function(t, *x, *data[4:]))

    def _boundary_at(self, t: float, data: Sequence[Tensor]) -> Tensor:
        function = self.boundary_in_time
        if function is None:
            return data[3]
        like = self.tables.weights
        values = on_nodes("boundary", lambda *x: function(t, *x, *data[4:]), self.space, like)
        values = torch.where(self.fixed, values, 0.0)
        return check_finite("boundary", values, f"on the boundary at time {t:g}")

    def _step(self, u: Tensor, t: float, run: _Schedule, data: tuple[Tensor, ...]) -> Tensor:
        """From time t to t + dt. The scheme is backward Euler for v = theta u' + (1 - theta) u."""
        theta, dt = run.theta, run.dt

        def between(at: Callable[[float, Sequence[Tensor]], Tensor]) -> Tensor:
            new = at(t + dt, data)
            return new if theta == 1 else theta * new + (1 - theta) * at(t, data)

        problem = _Step(self, u, between(self._source_at), between(self._boundary_at), run, data)
        v, _ = minimise(problem, tol=run.tol, start=u.detach())
        new = v if theta == 1 else u + (v - u) / theta
        return torch.where(self.fixed, self._boundary_at(t + dt, data), new)


class _Step(PointwiseProblem):
    r"""Minimise $\int \frac12\nu|\nabla v|^2 + W(v) + \frac12\kappa(v - u)^2 - f v$ over v."""

    def __init__(
        self, flow: Flow, u: Tensor, load: Tensor, boundary: Tensor, run: _Schedule, data: tuple[Tensor, ...]
    ) -> None:
        self.space, self.tables, self.points, self.fixed = flow.space, flow.tables, flow.points, flow.fixed
        self.boundary, self.potential, self.quadratic = boundary, flow.potential, flow.potential is None
        self.batch, self.shared = tuple(u.shape[: -flow.space.ndim]), run.shared
        (anchor,) = differentiable_evaluate(u, self.tables, gradient=False)
        inertia = data[1] / (run.theta * run.dt) + flow.stabilisation
        self.data = (load, data[0], inertia, anchor, *data[4:])

    def density(self, parts: Parts, *data: Tensor) -> Tensor:
        (*partials, v), (diffusivity, inertia, anchor, *parameters) = parts, data
        density = (diffusivity * square_of(partials) + inertia * (v - anchor).square()) / 2
        return density if self.potential is None else density + self.potential(v, *self.points, *parameters)

    def hessian(self, parts: Parts) -> Hessian:
        ndim, (_, diffusivity, inertia, _, *parameters) = self.space.ndim, self.data
        curvature = inertia
        if self.potential is not None:
            curvature = inertia + second_derivative(self.potential, parts[-1], (*self.points, *parameters))
        return {**{(axis, axis): diffusivity for axis in range(ndim)}, (ndim, ndim): curvature}

    def linearise(self, u: Float[Tensor, "samples *nodes"], *, single: bool = True) -> Linearised:
        if not self.quadratic:
            return super().linearise(u, single=single)
        if not self.shared:  # the same in every step, and for the adjoint
            self.shared.append(super().linearise(u, single=single))
        return self.shared[0]


@dataclass
class _Schedule:
    dt: float
    theta: float
    tol: float
    shared: list[Linearised] = field(default_factory=list)


@dataclass(frozen=True)
class Evolution(Field):
    """What `evolve` returns.

    Attributes:
        space: of the states.
        u: nodal values at the last time.
        times: of the saved states, the first one 0.
        states: nodal values at these times, shape `(len(times), *batch, *nodes)`.
    """

    times: Float[Tensor, " saved"] = field(kw_only=True)
    states: Float[Tensor, "saved *batch_nodes"] = field(kw_only=True)

    def __repr__(self) -> str:
        return f"Evolution({self.space.label}, saved={len(self.times)}, time={float(self.times[-1]):g})"


def evolve(
    problem: Flow,
    initial: Data,
    *,
    dt: float,
    steps: int,
    theta: float = 1.0,
    every: int | None = None,
    tol: float = 1e-10,
    checkpoint: bool = True,
    callback: Callback | None = None,
) -> Evolution:
    r"""Steps of the theta scheme, $c(u' - u)/dt = F(\theta u' + (1-\theta)u)$.

    F is the right side of the equation. theta = 1 is backward Euler (first order in dt), theta = 1/2
    Crank-Nicolson, for a nonlinear F the implicit
    midpoint rule (second order). Each step is one elliptic solve with reaction $c/(\theta\,dt)$ for
    $v = \theta u' + (1-\theta) u$, by multigrid as in `solve`.

    Derivatives with respect to the initial value and all data of the problem go through time by the adjoint
    of each step; so do second derivatives.

    Args:
        problem: `Heat` or `AllenCahn`.
        initial: u at time 0, in the forms of a boundary value of `Poisson`, on all nodes. On the boundary the
            values of the problem count.
        dt: the step, positive.
        steps: their number.
        theta: in [1/2, 1].
        every: saves each state whose number is a multiple of it, and the last; if left out, the first and
            last.
        tol: of each step, as for `solve`.
        checkpoint: keep one in about sqrt(steps) states for the backward pass and compute the others again,
            which costs one more forward pass and makes memory O(sqrt(steps)); False keeps what all steps
            need.
        callback: called with the step, `steps` and the time after each step.

    Returns:
        The last state, and the saved ones.

    Raises:
        ValueError: dt, steps, theta, every or tol out of range; an initial value of the wrong shape, or not
            finite; a callable of the problem that reads a tensor which wants a gradient beside `parameters`.
        ConvergenceError: a step did not converge.

    Example:
        >>> import math, torch
        >>> from fem_diff import Heat, LagrangeSpace, evolve, unit_square
        >>> wave = lambda x, y: torch.sin(math.pi * x) * torch.sin(math.pi * y)
        >>> heat = Heat(LagrangeSpace(unit_square(8), degree=2), boundary=0.0)
        >>> end = evolve(heat, wave, dt=0.01, steps=10, theta=0.5).u
        >>> bool((end - math.exp(-2 * math.pi**2 * 0.1) * heat.space.interpolate(wave)).abs().max() < 1e-3)
        True
    """
    if not isinstance(problem, Flow):
        raise TypeError(f"`problem` must be Heat or AllenCahn; got {type(problem).__name__}. Try `solve`.")
    if not (math.isfinite(dt) and dt > 0):
        raise ValueError(f"`dt` must be positive and finite; got {dt:g}.")
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1; got {steps}.")
    if not 0.5 <= theta <= 1:
        raise ValueError(
            f"`theta` must lie in [1/2, 1], where the scheme is stable for every dt; got {theta:g}."
        )
    if every is not None and every < 1:
        raise ValueError(f"`every` must be at least 1; got {every}.")
    reachable = 20 * torch.finfo(problem.tables.weights.dtype).eps
    if not reachable <= tol < 1:
        raise ValueError(f"`tol` must lie in [{reachable:.1e}, 1); got {tol:g}.")
    like, ndim, nodes = problem.tables.weights, problem.space.ndim, problem.space.node_shape
    if isinstance(initial, Tensor) and (initial.dtype, initial.device) != (like.dtype, like.device):
        raise TypeError(
            f"`initial` is {initial.dtype} on {initial.device}, the problem {like.dtype} on {like.device}. "
            "Bring them together with .to(...)."
        )
    start = on_nodes("initial", initial, problem.space, like)
    start = check_finite("initial", start, "at the nodes")
    batch = check_batch([("initial", tuple(start.shape[:-ndim])), ("problem", problem.batch)])
    start = start.expand(*batch, *nodes)
    _check_closures(problem)
    start = torch.where(problem.fixed, problem._boundary_at(0.0, problem.data), start)

    run = _Schedule(float(dt), float(theta), float(tol))
    seen = 0

    def segment(first: int, last: int) -> Callable[..., tuple[Tensor, ...]]:
        def advance(u: Tensor, *data: Tensor) -> tuple[Tensor, ...]:
            nonlocal seen
            saved = []
            for k in range(first, last):
                u = problem._step(u, k * run.dt, run, data)
                if every is not None and (k + 1) % every == 0 and k + 1 < steps:
                    saved.append(u)
                if callback is not None and k >= seen:  # not when a backward pass computes a state again
                    seen = k + 1
                    callback(k + 1, steps, (k + 1) * run.dt)
            return (*saved, u)

        return advance

    length = math.isqrt(steps - 1) + 1 if checkpoint else steps
    saved, u = [start], start
    for first in range(0, steps, length):
        advance = segment(first, min(first + length, steps))
        *some, u = _Checkpoint.apply(advance, u, *problem.data) if checkpoint else advance(u, *problem.data)
        saved += some
    numbers = [0, *(range(every, steps, every) if every else ()), steps]
    times = torch.tensor(numbers, dtype=like.dtype, device=like.device) * run.dt
    return Evolution(problem.space, u, times=times, states=torch.stack([*saved, u]))


class _Checkpoint(torch.autograd.Function):
    """A function of tensors that keeps its inputs alone and is computed again for each backward pass."""

    @staticmethod
    def forward(function: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        return function(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        ctx.function, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        inputs, need = ctx.saved_tensors, ctx.needs_input_grad[1:]
        wanted = [k for k, needed in enumerate(need) if needed]

        def of_wanted(*some: Tensor) -> tuple[Tensor, ...]:
            chosen = dict(zip(wanted, some, strict=True))
            return ctx.function(*(chosen.get(k, part.detach()) for k, part in enumerate(inputs)))

        found_for = dict(zip(wanted, pulled_back(of_wanted, [inputs[k] for k in wanted], grads), strict=True))
        return None, *(found_for.get(k) for k in range(len(inputs)))


def _check_closures(problem: Flow) -> None:
    detached = [part.detach() for part in problem.data]
    for name, at in (("source", problem._source_at), ("boundary", problem._boundary_at)):
        if at(0.0, detached).requires_grad:
            raise ValueError(
                f"`{name}` reads a tensor that requires a gradient, which it would not get. Hand it over in "
                "`parameters`, which the function takes after the coordinates."
            )
