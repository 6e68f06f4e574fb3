"""The problem of Figure 3: u = 1 on the left, 0 on the right, no flow through the other sides, no source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import avg_pool2d

from dsa._diffusivity import at_quadrature_points
from fem_diff import LagrangeSpace, Poisson, unit_square

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


def flow_problem(omega: Float[Tensor, "batch 4"], elements: int) -> Poisson:
    """-div(nu grad u) = 0 with the diffusivity of equation 14, on bilinear elements.

    Args:
        omega: one set of parameters for each sample; decides dtype and device.
        elements: per direction.
    """
    space = LagrangeSpace(unit_square(elements), degree=1)
    diffusivity = at_quadrature_points(omega, space)
    return Poisson(space, diffusivity=diffusivity, boundary={"left": 1.0, "right": 0.0})


def on_elements(problem: Poisson) -> Float[Tensor, "batch nx ny"]:
    """The mean of log nu over each element: what the network sees."""
    return avg_pool2d(problem.diffusivity.log(), problem.space.points)
