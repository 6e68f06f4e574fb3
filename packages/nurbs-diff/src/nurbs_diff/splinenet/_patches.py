"""Random spline patches: control nets, and clouds sampled from their surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Generator, Tensor

from nurbs_diff._evaluation.basis import basis_functions
from nurbs_diff._evaluation.grids import evaluate_surface
from nurbs_diff._fitting.least_squares import pseudo_inverse
from nurbs_diff._knots import uniform_knots

if TYPE_CHECKING:
    from jaxtyping import Float

_DEGREE = 3
_CELLS = 32  # in each direction, for sampling by area
_COARSEST, _FINEST = 4, 8


class Patches(NamedTuple):
    """Clouds, and the control nets that they were sampled from (bicubic, uniform clamped knots).

    Attributes:
        clouds: in no order.
        control_points: of the surfaces.

    >>> import torch
    >>> Patches(torch.rand(2, 30, 3), torch.rand(2, 4, 4, 3)).clouds.shape
    torch.Size([2, 30, 3])
    """

    clouds: Float[Tensor, "count m 3"]
    control_points: Float[Tensor, "count n n 3"]


def random_patches(count: int, generator: Generator, *, size: int = 20, points: int = 700) -> Patches:
    """Random bent patches, a stand-in for surfaces cut out of CAD models.

    A control net of 4 x 4 to 8 x 8 points over a rectangle is bent by a random quadratic form, displaced at
    random, and brought to `size` x `size` control points (by least squares; the result is what counts as the
    truth). Its surface is sampled uniformly by area, then turned and moved at random.

    Args:
        count: how many.
        generator: on the CPU; the same state gives the same patches.
        size: control points of the truth in each direction, at least 4.
        points: of each cloud.

    Returns:
        The patches, float32, on the CPU.

    Raises:
        ValueError: a size below 4, or a count or a number of points below 1.

    >>> import torch
    >>> random_patches(2, torch.Generator().manual_seed(0), size=5, points=40).clouds.shape
    torch.Size([2, 40, 3])
    """
    for name, value, least in (("count", count, 1), ("size", size, _DEGREE + 1), ("points", points, 1)):
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}; got {value}.")
    sizes = torch.randint(_COARSEST, _FINEST + 1, (count,), generator=generator)
    nets = torch.empty(count, size, size, 3, dtype=torch.float64)
    for coarse in range(_COARSEST, _FINEST + 1):
        chosen = sizes == coarse
        net = _bent_nets(int(chosen.sum()), coarse, generator)
        raised = _raising(coarse, size)
        nets[chosen] = torch.einsum("ai,bj,kijd->kabd", raised, raised, net)
    clouds = sample_by_area(nets, points, generator)
    rotations, _ = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64))
    offsets = torch.randn(count, 1, 3, generator=generator, dtype=torch.float64)
    moved = (nets.flatten(1, 2) @ rotations + offsets).reshape(nets.shape)
    return Patches((clouds @ rotations + offsets).float(), moved.float())


def sample_by_area(nets: Tensor, points: int, generator: Generator) -> Tensor:
    """Points of the surfaces of (count, n, n, 3), uniform by area up to the size of a cell."""
    count, n = nets.shape[:2]
    knots = uniform_knots(n, _DEGREE)
    lines = torch.linspace(0, 1, _CELLS + 1, dtype=torch.float64)
    grid = evaluate_surface(nets, knots, knots, lines, lines)
    along, across = grid[:, 1:, 1:] - grid[:, :-1, :-1], grid[:, 1:, :-1] - grid[:, :-1, 1:]
    areas = torch.linalg.cross(along, across).norm(dim=-1).flatten(1)  # of the diagonals: twice the cell's
    cells = torch.multinomial(areas + 1e-12 * areas.amax(1, keepdim=True), points, True, generator=generator)
    jitter = torch.rand(count, points, 2, generator=generator, dtype=torch.float64)
    places = torch.stack([cells // _CELLS, cells % _CELLS], -1)
    u, v = ((places + jitter) / _CELLS).unbind(-1)
    return torch.einsum(
        "kqi,kijd,kqj->kqd", basis_functions(knots, _DEGREE, u), nets, basis_functions(knots, _DEGREE, v)
    )


def _bent_nets(count: int, n: int, generator: Generator) -> Tensor:
    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1

    line = torch.linspace(-1, 1, n, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="ij")
    narrowing = 0.7 + 0.3 * uniform(count, 1, 1)  # of the rectangle in y
    xx, yy = x.expand(count, n, n), narrowing * y
    bends = 0.6 * uniform(count, 3, 1, 1)
    z = bends[:, 0] * xx**2 + bends[:, 1] * xx * yy + bends[:, 2] * yy**2
    net = torch.stack([xx, yy, z], -1)
    amplitudes = torch.rand(count, 1, 1, 1, generator=generator, dtype=torch.float64)
    strengths = torch.tensor([0.3, 0.3, 0.6], dtype=torch.float64) * 2 / (n - 1)  # of the spacing
    return net + amplitudes * strengths * uniform(count, n, n, 3)


def _raising(coarse: int, fine: int) -> Tensor:
    """The matrix from `coarse` to `fine` control points of the closest curve, shape (fine, coarse)."""
    u = torch.linspace(0, 1, 8 * max(fine, coarse), dtype=torch.float64)
    inverse, _ = pseudo_inverse(basis_functions(uniform_knots(fine, _DEGREE), _DEGREE, u))
    return inverse @ basis_functions(uniform_knots(coarse, _DEGREE), _DEGREE, u)
