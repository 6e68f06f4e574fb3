"""A layer for splines that are evaluated again and again on one grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nurbs_diff import _checks
from nurbs_diff._evaluation.basis import Direction, collocations
from nurbs_diff._evaluation.directions import DIRECTIONS
from nurbs_diff._evaluation.grids import evaluate_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float


class SplineGrid(nn.Module):
    r"""Points of splines on one grid of parameters, whose basis functions are computed once.

    For many evaluations with the same knots: a network that outputs control points, a net that is optimised.
    What is left of each evaluation is the contraction of the net, so a small one costs a third of
    `evaluate_surface`. Differentiable with respect to control points and weights; the knots and parameters
    are constants (for gradients in them take `evaluate_surface`).

    Args:
        knots: the knots of each direction, one to three vectors, shared by all splines.
        parameters: the parameters of each direction, inside the domain of its knots.
        degrees: the degree of each direction, or one for all.

    Raises:
        ValueError: bad knots, parameters outside the domain, not as many of one as of the other.
        TypeError: an argument is no float32 or float64 tensor.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots, u = uniform_knots(8, degree=3), torch.linspace(0, 1, 64)
    >>> grid = SplineGrid([knots, knots], [u, u], degrees=3)
    >>> grid
    SplineGrid(64 x 64 points of 8 x 8 control points)
    >>> grid(torch.rand(16, 8, 8, 3), weights=torch.rand(16, 8, 8) + 0.1).shape
    torch.Size([16, 64, 64, 3])
    """

    def __init__(
        self, knots: Sequence[Tensor], parameters: Sequence[Tensor], *, degrees: int | Sequence[int]
    ) -> None:
        super().__init__()
        all_degrees = [degrees] * len(knots) if isinstance(degrees, int) else list(degrees)
        if not 1 <= len(knots) <= len(DIRECTIONS) or not len(knots) == len(parameters) == len(all_degrees):
            raise ValueError(
                f"`knots`, `parameters` and `degrees` must have one entry for each of one to three "
                f"directions; got {len(knots)}, {len(parameters)} and {len(all_degrees)}."
            )
        directions: list[Direction] = []
        for i, (t, u, degree) in enumerate(zip(knots, parameters, all_degrees, strict=True)):
            names = f"knots[{i}]", f"parameters[{i}]"
            _checks.check_floating(**{names[0]: t, names[1]: u})
            _checks.check_degree(f"degrees[{i}]", degree)
            for name, tensor in zip(names, (t, u), strict=True):
                _checks.check_batch(name, tensor, ())
            _checks.check_knots(names[0], t, degree)
            _checks.check_parameters(names[1], u, names[0], t, degree)
            directions.append(Direction(t.detach(), degree, u.detach()))
        bases = collocations(directions, "exact", 1.0, torch.float64)
        self._names = [f"basis_{letter}" for letter in DIRECTIONS[: len(bases)]]
        for name, basis in zip(self._names, bases, strict=True):
            self.register_buffer(name, basis)

    def forward(
        self, control_points: Float[Tensor, "*net dim"], *, weights: Float[Tensor, "*net"] | None = None
    ) -> Float[Tensor, "*points dim"]:
        """Points on the grid.

        Args:
            control_points: P, shape (*batch, n_u, ..., dim), with as many control points as the knots imply.
            weights: w > 0, one for each control point; None for polynomial splines.

        Returns:
            The points, shape (*batch, q_u, ..., dim), in the dtype of the control points; see
            `evaluate_surface`.

        Raises:
            ValueError: a net of another size, weights not positive.
        """
        _checks.check_floating(
            control_points=control_points, weights=weights, **{self._names[0]: self._bases[0]}
        )
        counts = tuple(basis.shape[1] for basis in self._bases)
        if control_points.shape[-len(counts) - 1 : -1] != counts:
            raise ValueError(
                f"`control_points` must have shape (..., {', '.join(map(str, counts))}, dim), as the knots "
                f"of this grid imply; got {tuple(control_points.shape)}."
            )
        _checks.check_weights(weights, control_points)
        return evaluate_grid(
            control_points, [basis.to(control_points.dtype) for basis in self._bases], weights
        )

    def extra_repr(self) -> str:
        """Sizes."""
        points, counts = (" x ".join(str(basis.shape[axis]) for basis in self._bases) for axis in (0, 1))
        return f"{points} points of {counts} control points"

    @property
    def _bases(self) -> list[Tensor]:
        return [self.get_buffer(name) for name in self._names]
