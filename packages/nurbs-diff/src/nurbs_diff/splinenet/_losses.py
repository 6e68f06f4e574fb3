"""What training minimises: distance from the cloud, or from the control net it was sampled from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nurbs_diff._evaluation.grids import evaluate_surface
from nurbs_diff._fitting.distances import chamfer_distance
from nurbs_diff._fitting.smoothness import bending_energy
from nurbs_diff._knots import uniform_knots

if TYPE_CHECKING:
    from jaxtyping import Float

_DEGREE = 3


def grid_points(control_points: Tensor, weights: Tensor | None, samples: int) -> Tensor:
    """Points of bicubic surfaces (b, n, n, 3) on a uniform grid of parameters, shape (b, samples^2, 3)."""
    knots = uniform_knots(control_points.shape[1], _DEGREE, device=control_points.device)
    u = torch.linspace(0, 1, samples, dtype=knots.dtype, device=knots.device)
    return evaluate_surface(control_points, knots, knots, u, u, weights=weights).flatten(1, 2)


def surface_loss(
    control_points: Float[Tensor, "batch n n 3"],
    weights: Float[Tensor, "batch n n"] | None,
    clouds: Float[Tensor, "batch m 3"],
    *,
    samples: int = 40,
    smoothing: float = 1e-5,
) -> Float[Tensor, ""]:
    r"""The unsupervised loss: squared two-sided Chamfer distance plus the Laplacian energy of the surface.

    $$\mathrm{CD}^2(S, X) + \lambda \int \| S_{uu} + S_{vv} \|^2$$

    It asks for no control net, so that any number of control points can be trained.

    Args:
        control_points: of bicubic surfaces with uniform clamped knots.
        weights: None for polynomial surfaces. The energy is that of the surface without them.
        clouds: X.
        samples: surface points in each direction.
        smoothing: $\lambda$.

    Returns:
        The mean over the batch.

    DSA section 3, on Table 4; the paper gives neither the form nor the factor of its Laplacian term.

    >>> import torch
    >>> float(surface_loss(torch.zeros(1, 4, 4, 3), None, torch.zeros(1, 5, 3)))
    0.0
    """
    surface = grid_points(control_points, weights, samples)
    loss = chamfer_distance(surface, clouds).mean()
    if smoothing == 0:
        return loss
    knots = uniform_knots(control_points.shape[1], _DEGREE, device=control_points.device)
    return loss + smoothing * bending_energy(control_points, knots, knots, penalty="laplacian").mean()


def regression_loss(
    control_points: Float[Tensor, "batch n n 3"], targets: Float[Tensor, "batch n n 3"]
) -> Float[Tensor, ""]:
    r"""The supervised loss: mean squared distance of the control points, in the best of the eight orders.

    A net and its transposed and reversed copies define one surface, so the target is taken in the order, of
    these eight, that is closest to the prediction (ParSeNet, eq. 4).

    Args:
        control_points: predicted.
        targets: the nets that the clouds were sampled from.

    Returns:
        The mean over the batch.

    >>> import torch
    >>> net = torch.rand(2, 4, 4, 3)
    >>> float(regression_loss(net, net.transpose(1, 2).flip(1)))
    0.0
    """
    both = (targets, targets.transpose(1, 2))
    orders = torch.stack([net.flip(axes) for net in both for axes in ([], [1], [2], [1, 2])])
    return (orders - control_points).square().sum(-1).mean((-2, -1)).amin(0).mean()
