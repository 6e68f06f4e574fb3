"""Derivatives in boundary data and matrix diffusivity, and the transforms of torch.func."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

from fem_diff import (
    Anisotropic,
    BoxMesh,
    Dirichlet,
    LagrangeSpace,
    Neumann,
    Poisson,
    Robin,
    energy,
    residual,
    solve,
)

GRADED = BoxMesh.graded([0.0, 0.3, 1.0], [0.0, 0.6, 1.0])
RING = BoxMesh((2, 3), periodic=(False, True))
pytestmark = pytest.mark.usefixtures("unchecked")
NAMES = ("diffusivity", "reaction", "dirichlet", "neumann", "coefficient", "value")


def random(generator, *shape):
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


def definite(root):
    """Symmetric positive definite for any square matrices."""
    return root @ root.mT + 0.2 * torch.eye(root.shape[-1], dtype=root.dtype)


def data_of(space, generator):
    """Each datum in another of the forms it may have."""
    along = space.node_shape[1]
    return {
        "diffusivity": definite(random(generator, *space.mesh.elements, 2, 2)),
        "reaction": random(generator, 1, 1),
        "dirichlet": random(generator, along),
        "neumann": random(generator, space.quadrature_shape[1]),
        "coefficient": random(generator, space.quadrature_shape[1]),
        "value": random(generator, along),
    }


def problem_of(space, data):
    left = [Dirichlet(data["dirichlet"], where=lambda x, y: y < 0.65), Neumann(data["neumann"])]
    return Poisson(
        space,
        diffusivity=Anisotropic(data["diffusivity"]),
        reaction=data["reaction"],
        source=1.0,
        boundary={"left": left, "right": Robin(data["coefficient"], data["value"])},
    )


def symmetric(name, value):
    """Finite differences must stay among the symmetric matrices."""
    return (value + value.mT) / 2 if name == "diffusivity" else value


@pytest.mark.parametrize(("solver", "mesh"), [("multigrid", GRADED), ("direct", RING)])
@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives_of_the_solution(solver, mesh, name, generator):
    space = LagrangeSpace(mesh, 2)
    data = data_of(space, generator)

    def u(value):
        return solve(problem_of(space, {**data, name: symmetric(name, value)}), solver=solver, tol=1e-13).u

    value = data[name].requires_grad_()
    assert gradcheck(u, value, fast_mode=True)
    assert gradgradcheck(u, value, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives_of_the_energy(name, generator):
    space = LagrangeSpace(GRADED, 1)
    data = data_of(space, generator)
    u = random(generator, *space.node_shape).requires_grad_()
    value = data[name].requires_grad_()

    def total(u, value):
        return energy(problem_of(space, {**data, name: symmetric(name, value)}), u)

    assert gradcheck(total, (u, value), fast_mode=True)
    assert gradgradcheck(total, (u, value), fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_taylor_remainders_fall_with_order_two(name, generator, remainder_orders):
    space = LagrangeSpace(BoxMesh((5, 6), periodic=(False, True)), 2)
    data = data_of(space, generator)

    def loss(value):
        u = solve(problem_of(space, {**data, name: value}), tol=1e-13).u
        return u.square().sum() + u.sin().sum()

    size = 3.0 if name in ("dirichlet", "neumann", "value") else 0.15  # u is linear: only the loss bends
    orders = remainder_orders(loss, data[name], size, symmetric=lambda d: symmetric(name, d))
    assert orders == pytest.approx([2.0] * 2, abs=0.1)


def test_derivatives_where_nothing_holds_the_constant(generator):
    """Only changes that keep source and flux in balance have a meaning."""
    space = LagrangeSpace(BoxMesh((3, 2), periodic=(True, False)), 2)
    nu = random(generator, 3, 2).requires_grad_()
    source = random(generator, *space.quadrature_shape).requires_grad_()
    weights = space.tabulate(like=source.detach()).weights

    def u(nu, source):
        net = source - (source * weights).sum() / weights.sum()
        return solve(Poisson(space, diffusivity=nu, source=net, boundary={}), tol=1e-13).u

    assert gradcheck(u, (nu, source), fast_mode=True)
    assert gradgradcheck(u, (nu, source), fast_mode=True)


@pytest.fixture
def transformed(generator):
    """A map from diffusivity and Robin coefficient to nodal values, and a batch of arguments."""
    space = LagrangeSpace(BoxMesh((4, 3)), 2)

    def u(nu, alpha):
        boundary = {"left": 0.3, "right": Robin(alpha, 1.0)}
        problem = Poisson(space, diffusivity=nu, reaction=1.0, source=lambda x, y: x * y, boundary=boundary)
        return solve(problem, tol=1e-13).u

    return u, random(generator, 5, 4, 3), random(generator, 5, 3)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12 * max(1.0, float(b.abs().max())))


def test_vmap_is_a_loop(transformed):
    u, nu, alpha = transformed
    close(vmap(u)(nu, alpha), torch.stack([u(*pair) for pair in zip(nu, alpha, strict=True)]))
    close(vmap(u, (None, 0))(nu[0], alpha), torch.stack([u(nu[0], a) for a in alpha]))
    close(
        vmap(vmap(u, (0, None)), (None, 0))(nu, alpha[:2]),
        torch.stack([torch.stack([u(n, a) for n in nu]) for a in alpha[:2]]),
    )
    with pytest.raises(ValueError, match=r"`diffusivity` must be positive; it is -\d"):
        vmap(u)(-nu, alpha)


def test_derivatives_by_transforms(transformed):
    u, nu, alpha = transformed

    def loss(nu, alpha):
        return u(nu, alpha).square().sum()

    tracked = nu[0].clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(tracked, alpha[0]), tracked)
    close(grad(loss)(nu[0], alpha[0]), expected)
    close(vmap(grad(loss))(nu, alpha)[0], expected)
    jacobian = jacrev(u)(nu[0], alpha[0])
    close(jacfwd(u)(nu[0], alpha[0]), jacobian)
    close(vmap(jacrev(u))(nu, alpha)[0], jacobian)
    change = (nu[1], alpha[1])
    _, tangent = jvp(u, (nu[0], alpha[0]), change)
    of_alpha = jacrev(u, argnums=1)(nu[0], alpha[0])
    close(tangent, (jacobian * change[0]).sum((-1, -2)) + (of_alpha * change[1]).sum(-1))
    expected = torch.autograd.functional.hessian(lambda n: loss(n, alpha[0]), nu[0])
    close(hessian(loss)(nu[0], alpha[0]), expected)
    close(jacrev(jacrev(loss))(nu[0], alpha[0]), expected)
    close(jacrev(jacfwd(loss))(nu[0], alpha[0]), expected)
    with pytest.raises(NotImplementedError, match=r"a tangent of a tangent .* Take one .* in reverse"):
        jacfwd(jacfwd(loss))(nu[0], alpha[0])


def test_energy_and_residual_take_transforms(generator):
    space = LagrangeSpace(BoxMesh((3, 2)), 2)
    nu, v = random(generator, 4, 3, 2), random(generator, 4, *space.node_shape)

    def total(nu, v):
        return energy(Poisson(space, diffusivity=nu, source=1.0), v)

    problem = Poisson(space, diffusivity=nu, source=1.0)
    close(vmap(total)(nu, v), energy(problem, v))
    close(vmap(grad(total, argnums=1))(nu, v), residual(problem, v))
    with pytest.raises(NotImplementedError, match="a tangent of a tangent"):
        jacfwd(jacfwd(total, argnums=1), argnums=1)(nu[0], v[0])
