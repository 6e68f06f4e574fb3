"""Shapes with closed forms, and random splines, that the tests of geometry share."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nurbs_diff import Curve, Surface, uniform_knots


def as_tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def circle(radius: float = 1.0) -> Curve:
    """The whole circle in four quadratic quarters, anticlockwise from (radius, 0)."""
    points = as_tensor([[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1], [1, 0]])
    knots = as_tensor([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4]) / 4
    weights = as_tensor([1, math.sqrt(0.5)] * 4 + [1])
    return Curve(radius * points, knots, weights)


def revolved(profile: Curve) -> Surface:
    """Points (distance from the axis, height) turned about the z axis: u turns, v runs along the profile."""
    turn = circle()
    distance, height = profile.control_points.unbind(-1)
    points = torch.cat(
        [
            turn.control_points[:, None] * distance[:, None],
            height.expand(len(turn.control_points), -1).unsqueeze(-1),
        ],
        -1,
    )
    assert turn.weights is not None
    assert profile.weights is not None
    return Surface(points, turn.knots, profile.knots, turn.weights[:, None] * profile.weights)


def torus(large: float = 2.0, small: float = 0.5) -> Surface:
    """Normals S_u x S_v point outwards."""
    profile = circle(small)
    return revolved(profile._replace(control_points=profile.control_points + as_tensor([large, 0])))


def sphere(radius: float = 1.0) -> Surface:
    """South pole at v = 0, north pole at v = 1; normals point outwards."""
    points = radius * as_tensor([[0, -1], [1, -1], [1, 0], [1, 1], [0, 1]])
    knots = as_tensor([0, 0, 0, 1, 1, 2, 2, 2]) / 2
    half = math.sqrt(0.5)
    return revolved(Curve(points, knots, as_tensor([1, half, 1, half, 1])))


def random_curve(
    generator: torch.Generator, n: int, degree: int, dim: int = 3, *, is_rational: bool = True
) -> Curve:
    points = torch.rand(n, dim, generator=generator, dtype=torch.float64)
    weights = 0.5 + torch.rand(n, generator=generator, dtype=torch.float64) if is_rational else None
    return Curve(points, uniform_knots(n, degree), weights)


def random_surface(
    generator: torch.Generator, n: tuple[int, int], degree: tuple[int, int], *, is_rational: bool = True
) -> Surface:
    """A bumpy graph over the unit square."""
    grid = torch.meshgrid(*(torch.linspace(0, 1, k, dtype=torch.float64) for k in n), indexing="ij")
    height = 0.4 * torch.rand(*n, generator=generator, dtype=torch.float64)
    weights = 0.5 + torch.rand(*n, generator=generator, dtype=torch.float64) if is_rational else None
    knots_u, knots_v = (uniform_knots(k, p) for k, p in zip(n, degree, strict=True))
    return Surface(torch.stack([*grid, height], -1), knots_u, knots_v, weights)
