"""What the times are worth: errors against the floor of the space, and how many steps they take.

The floor is the error of the Galerkin solution itself, from a solve with a tolerance far below it.
"""

from __future__ import annotations

import math

import pytest
import torch

from fem_diff import LagrangeSpace, Poisson, l2_error, nodal_rms, solve, unit_square

GALERKIN = {1: 1e-8, 2: 1e-10, 3: 1e-12}


def exact(x, y):
    return torch.sin(math.pi * x) * torch.sin(math.pi * y)


def smooth(elements, degree, diffusivity=1.0):
    return Poisson(
        LagrangeSpace(unit_square(elements), degree),
        source=lambda x, y: 2 * math.pi**2 * exact(x, y),
        diffusivity=diffusivity,
    )


@pytest.mark.parametrize("elements", [128, 256])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_error(degree, elements, timed, benchmark):
    """The paper's problem by multigrid with `tol="floor"`."""
    problem = smooth(elements, degree)
    name = f"degree {degree}, {elements} x {elements} elements"
    solution = timed(
        "the paper's problem to the floor, multigrid",
        name,
        lambda: solve(problem, solver="multigrid", tol="floor"),
        rounds=1,
    )
    error = float(l2_error(solution, exact))
    floor = float(l2_error(solve(problem, solver="multigrid", tol=GALERKIN[degree]), exact))
    benchmark.extra_info.update(
        {"L2 error": error, "over the floor": error / floor, "nodal RMS": float(nodal_rms(solution, exact))}
    )
    assert error <= 1.1 * floor


def drawn(elements):
    """Two independent numbers for each element, uniform in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, elements, elements, generator=generator, dtype=torch.float64)


def wave(x, y):
    return 1 + 0.5 * torch.sin(3 * x) * y


@pytest.mark.parametrize("elements", [128, 256, 512, 1024])
@pytest.mark.parametrize("kind", ["smooth", "random source", "random source, contrast 1e4"])
def test_steps(kind, elements, timed, benchmark):
    """Conjugate gradients to 1e-8, degree 1, from the solution on coarser meshes; the diffusivity varies."""
    space = LagrangeSpace(unit_square(elements), 1)
    numbers = drawn(elements)
    if kind == "smooth":
        problem = smooth(elements, 1, wave)
    elif kind == "random source":
        problem = Poisson(space, diffusivity=wave, source=numbers[1] - 0.5)
    else:
        problem = Poisson(space, diffusivity=10 ** (4 * numbers[0]), source=numbers[1] - 0.5)
    group = "steps of multigrid-preconditioned conjugate gradients to 1e-8, degree 1"
    name = f"{kind}, {elements} x {elements} elements"
    solution = timed(group, name, lambda: solve(problem, tol=1e-8), rounds=1)
    benchmark.extra_info["steps"] = int(solution.iterations.max())
    assert float(solution.residuals[-1].max()) <= 1e-8
