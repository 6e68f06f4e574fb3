"""The heat and the Allen-Cahn equation in time, and derivatives through it."""

from __future__ import annotations

import math
import weakref

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from fem_diff import (
    AllenCahn,
    BoxMesh,
    Heat,
    LagrangeSpace,
    Poisson,
    allen_cahn_energy,
    double_well,
    evolve,
    l2_error,
    solve,
    unit_square,
)


def random(generator, *shape):
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


def integral(space, u):
    tables = space.tabulate(like=u)
    return float((tables.evaluate(u, gradient=False)[0] * tables.weights).sum())


@pytest.mark.parametrize(("theta", "order"), [(1.0, 1), (0.5, 2)])
def test_order_in_time(theta, order):
    """U = exp(-t) (1 + x y^2), c = 1 + x, boundary values and source in time; exact in space."""
    space = LagrangeSpace(unit_square(3), 2)
    exact = lambda t, x, y: math.exp(-t) * (1 + x * y**2)  # noqa: E731
    heat = Heat(
        space,
        capacity=lambda x, y: 1 + x,
        source=lambda t, x, y: math.exp(-t) * (-(1 + x) * (1 + x * y**2) - 2 * x),
        boundary=exact,
    )
    errors = []
    for steps in (6, 12):
        end = evolve(heat, lambda x, y: exact(0.0, x, y), dt=1 / steps, steps=steps, theta=theta, tol=1e-12)
        errors.append(float(l2_error(end, lambda x, y: exact(1.0, x, y))))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("degree", [1, 2])
def test_order_in_space(degree):
    """An eigenfunction decays by the exact factor of the scheme, with the eigenvalue up to h^(d+1) in L2."""
    wave = lambda x, y: torch.sin(math.pi * x) * torch.sin(math.pi * y)  # noqa: E731
    factor = (1 - 0.01 * math.pi**2) / (1 + 0.01 * math.pi**2)
    errors = []
    for n in (6, 12):
        end = evolve(Heat(LagrangeSpace(unit_square(n), degree)), wave, dt=0.01, steps=5, theta=0.5)
        errors.append(float(l2_error(end, lambda x, y: factor**5 * wave(x, y))))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(degree + 1, abs=0.25)


def test_heat_is_conserved_without_flux_and_steady_in_the_end(generator):
    space = LagrangeSpace(BoxMesh((5, 4)), 2)
    nu = random(generator, 5, 4)
    end = evolve(Heat(space, diffusivity=nu, boundary=None), lambda x, y: x * y, dt=0.1, steps=4)
    assert integral(space, end.u) == pytest.approx(0.25, abs=1e-10)
    steady = solve(Poisson(space, diffusivity=nu, source=1.0, boundary=lambda x, y: x)).u
    end = evolve(Heat(space, diffusivity=nu, source=1.0, boundary=lambda t, x, y: x), 0.0, dt=1e3, steps=8)
    torch.testing.assert_close(end.u, steady, rtol=0, atol=1e-9)


def heat_states(space, **options):
    def states(nu, capacity, initial, a, boundary):
        heat = Heat(
            space,
            diffusivity=nu,
            capacity=capacity,
            source=lambda t, x, y, a: a * x * (1 + t),
            boundary=boundary,
            parameters=(a,),
        )
        return evolve(heat, initial, dt=0.1, steps=2, theta=0.6, tol=1e-13, every=1, **options).states

    return states


@pytest.mark.usefixtures("unchecked")
def test_derivatives_of_heat(generator):
    space = LagrangeSpace(unit_square(2), 1)
    data = [random(generator, *shape) for shape in ((2, 2), (2, 2), (3, 3), (), (3, 3))]
    data = tuple(part.requires_grad_() for part in data)
    assert gradcheck(heat_states(space), data, fast_mode=True)
    assert gradgradcheck(heat_states(space), data, fast_mode=True)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["diffusivity", "capacity", "initial", "parameter", "boundary"])
def test_taylor_remainders_through_time_fall_with_order_two(name, generator, remainder_orders):
    """With checkpoints, which are the default, for a loss of all states."""
    space = LagrangeSpace(unit_square(5), 1)
    names = ("diffusivity", "capacity", "initial", "parameter", "boundary")
    shapes = (space.quadrature_shape, (5, 5), space.node_shape, (), space.node_shape)
    data = {key: random(generator, *shape) for key, shape in zip(names, shapes, strict=True)}

    def loss(value):
        return heat_states(space)(*{**data, name: value}.values()).pow(3).sum()

    size = 0.3 if name in ("diffusivity", "capacity") else 2.0  # u is linear in the others: the loss bends
    assert remainder_orders(loss, data[name], size) == pytest.approx([2.0] * 2, abs=0.2)


def test_checkpoints_change_nothing(generator):
    space = LagrangeSpace(BoxMesh((3, 2)), 2)
    shapes = ((2, 3, 2), (3, 2), space.node_shape, (), space.node_shape)
    data = tuple(random(generator, *shape).requires_grad_() for shape in shapes)
    found = []
    for checkpoint in (True, False):
        states = heat_states(space, checkpoint=checkpoint)(*data)
        first = torch.autograd.grad(states.square().sum(), data, create_graph=True)
        second = torch.autograd.grad(sum(part.square().sum() for part in first), data)
        found.append([states, *first, *second])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_checkpoints_bound_what_a_graph_keeps():
    """The numbers that the graph of 36 steps holds: of O(sqrt(n)) states with checkpoints, O(n) without."""

    class Held:
        def __init__(self, values):
            self.values = values

    space = LagrangeSpace(BoxMesh((8,)), 1)
    initial = torch.ones(9, dtype=torch.float64, requires_grad=True)
    sizes = {}
    for checkpoint in (True, False):
        alive = weakref.WeakSet()

        def pack(values, alive=alive):
            held = Held(values)
            alive.add(held)
            return held

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda held: held.values):
            end = evolve(Heat(space), initial, dt=0.1, steps=36, checkpoint=checkpoint)
        sizes[checkpoint] = sum(held.values.numel() for held in alive)
        assert end.u.requires_grad
    assert sizes[True] < sizes[False] / 4


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_derivatives_of_allen_cahn(generator):
    space = LagrangeSpace(BoxMesh((3,)), 1)

    def end(nu, initial, a):
        flow = AllenCahn(
            space,
            epsilon=0.3,
            potential=lambda u, x, a: a * double_well(u),
            diffusivity=nu,
            parameters=(a,),
        )
        return evolve(flow, initial, dt=0.01, steps=2, theta=0.5, tol=1e-13).u

    data = tuple(random(generator, *shape).requires_grad_() for shape in ((3,), (2, 4), ()))
    assert gradcheck(end, data, fast_mode=True)
    assert gradgradcheck(end, data, fast_mode=True)


def test_a_circle_shrinks_by_its_curvature():
    """R^2 = r0^2 - 2 t, by the area of a quarter of the circle; errors of order epsilon^2 and dt."""
    epsilon, r0, time = 0.04, 0.35, 0.02
    space = LagrangeSpace(unit_square(48), 1)
    flow = AllenCahn(space, epsilon=epsilon)
    disc = lambda x, y: torch.sigmoid(math.sqrt(2) * (r0 - (x**2 + y**2).sqrt()) / epsilon)  # noqa: E731
    end = evolve(flow, disc, dt=time / 16, steps=16, every=4, tol=1e-8)
    areas = [4 / math.pi * integral(space, u) for u in end.states]
    assert areas[0] - areas[-1] == pytest.approx(2 * time, rel=0.05)
    energies = allen_cahn_energy(space, end.states, epsilon=epsilon)
    assert (energies.diff() < 0).all()


def test_speed_of_a_bistable_front():
    """u_t = D u_xx + u (1 - u) (u - a) has a front with the speed sqrt(D/2) (1 - 2 a)."""
    diffusion, a = 0.5, 0.2
    space = LagrangeSpace(BoxMesh((200,), ((0.0, 40.0),)), 2)
    potential = lambda u, x: u**4 / 4 - (1 + a) * u**3 / 3 + a * u**2 / 2  # noqa: E731
    flow = AllenCahn(space, epsilon=1.0, potential=potential, diffusivity=diffusion)
    front = lambda x: torch.sigmoid((15 - x) / math.sqrt(2 * diffusion))  # noqa: E731
    end = evolve(flow, front, dt=0.25, steps=40, theta=0.5, tol=1e-9, every=20)
    places = [integral(space, u) for u in end.states]
    assert (places[2] - places[1]) / 5 == pytest.approx(math.sqrt(diffusion / 2) * (1 - 2 * a), rel=2e-3)


def test_stabilisation_lowers_the_energy_for_any_step(generator):
    space = LagrangeSpace(unit_square(12), 1)
    flow = AllenCahn(space, epsilon=0.05, stabilisation=0.5)  # -W'' is at most 1
    end = evolve(flow, torch.rand(space.node_shape, generator=generator).double(), dt=1e3, steps=4, every=1)
    assert (allen_cahn_energy(space, end.states, epsilon=0.05).diff() < 0).all()


def test_saved_states_and_progress():
    seen = []
    heat = Heat(LagrangeSpace(unit_square(4), 1))
    initial = torch.ones(2, 5, 5, dtype=torch.float64, requires_grad=True)
    end = evolve(heat, initial, dt=0.1, steps=7, every=3, callback=lambda *state: seen.append(state))
    end.u.sum().backward()
    assert [step for step, _, _ in seen] == list(range(1, 8))
    assert seen[-1] == (7, 7, pytest.approx(0.7))
    assert end.times.tolist() == pytest.approx([0.0, 0.3, 0.6, 0.7])
    assert end.states.shape == (4, 2, 5, 5)
    assert (end.states[-1] == end.u).all()
    assert "saved=4, time=0.7" in repr(end)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.0}, "`dt` must be positive and finite; got 0"),
        ({"steps": 0}, "`steps` must be at least 1; got 0"),
        ({"theta": 0.4}, r"`theta` must lie in \[1/2, 1\], where the scheme is stable for every dt; got 0.4"),
        ({"every": 0}, "`every` must be at least 1; got 0"),
        ({"tol": 0.0}, r"`tol` must lie in \[4.4e-15, 1\); got 0"),
        ({"initial": torch.ones(3, 3, dtype=torch.float64)}, r"`initial` has shape \(3, 3\)"),
        ({"initial": math.nan}, "`initial` must be finite"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_messages(options, message):
    heat = Heat(LagrangeSpace(unit_square(4), 1))
    with pytest.raises(ValueError, match=message):
        evolve(heat, **{"initial": 0.0, "dt": 0.1, "steps": 2, **options})


@pytest.mark.usefixtures("unchecked")
def test_messages_of_problems():
    space = LagrangeSpace(unit_square(4), 1)
    with pytest.raises(TypeError, match=r"`space` must be a LagrangeSpace; got BoxMesh"):
        Heat(unit_square(4))
    with pytest.raises(TypeError, match=r"`problem` must be Heat or AllenCahn; got Poisson. Try `solve`"):
        evolve(Poisson(space), 0.0, dt=0.1, steps=1)
    with pytest.raises(
        TypeError, match=r"`potential` must be a function of u and the coordinates; got float"
    ):
        AllenCahn(space, epsilon=0.1, potential=1.0)
    with pytest.raises(TypeError, match=r"`parameters` holds tensors; parameters\[0\] is float"):
        Heat(space, parameters=(1.0,))
    a = torch.ones((), dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match=r"`source` reads a tensor that requires a gradient.*`parameters`"):
        evolve(Heat(space, source=lambda t, x, y: a * x), 0.0, dt=0.1, steps=1)
    with pytest.raises(TypeError, match=r"`initial` is torch.float32"):
        evolve(Heat(space), torch.zeros(5, 5), dt=0.1, steps=1)
    with pytest.raises(ValueError, match=r"`capacity` must be positive; it is 0"):
        Heat(space, capacity=0.0)
    with pytest.raises(ValueError, match=r"`epsilon` must be positive and finite; got 0"):
        AllenCahn(space, epsilon=0.0)
    with pytest.raises(ValueError, match=r"`stabilisation` must not be negative; got -1"):
        AllenCahn(space, epsilon=0.1, stabilisation=-1.0)
    with pytest.raises(ValueError, match=r"`boundary` must be finite.* at time 0"):
        Heat(space, boundary=lambda t, x, y: x / 0)
