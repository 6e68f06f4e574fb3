"""Problems in which nothing holds the constant: which of them have a solution, and which one is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._base.autograd import checked
from fem_diff._data.coefficients import first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from fem_diff._base.discrete import Tables
    from fem_diff._forms.form import Form

UNBALANCED = 1e-3  # of what goes in and out, by which source and flux may fail to cancel: quadrature errors
HELD = 1e3  # rounding errors that a reaction or Robin coefficient must exceed to hold the constant


def mean_weights(tables: Tables) -> Float[Tensor, "*nodes"]:
    """Integrals of the basis functions over the volume: the mean of u is their product with its values."""
    return tables.assemble([tables.weights / tables.weights.sum()], gradient=False)


def without_mean(u: Tensor, mean: Tensor) -> Tensor:
    """U less its mean."""
    return u - total_of(mean * u, mean.dim())


def balanced_by_constant(load: Tensor, mean: Tensor) -> Tensor:
    """The load with a constant source added which makes its sum zero: the transpose of `without_mean`."""
    return load - mean * total_of(load, mean.dim())


def total_of(values: Tensor, axes: int) -> Tensor:
    """Sums over the last axes, which stay as axes of one."""
    return values.sum(tuple(range(-axes, 0)), keepdim=True)


def balanced(load: Tensor, gross: Tensor, tables: Tables) -> Tensor:
    """The load of a problem in which nothing holds the constant, with its sum exactly zero.

    Args:
        load: integrals of source and flux.
        gross: those of their absolute values.
        tables: of its space.

    Raises:
        ValueError: source and flux fail to cancel by more than an error of quadrature.
    """
    axes = tables.axes

    def check(both: Tensor) -> None:
        net, total = both.unbind(-1)
        bad = net.abs() > UNBALANCED * total
        if bad.any():
            k = tuple(bad.nonzero()[0].tolist())
            sample = f" in sample {k[: both.dim() - 1 - axes]}" if len(k) > axes else ""
            raise ValueError(
                "`source` and the flux through the boundary must cancel where nothing holds the constant; "
                f"they sum to {float(net[k]):.3g}{sample}, their absolute values to {float(total[k]):.3g}. "
                "Subtract the mean from the source, fix a value (Dirichlet), or add a reaction or a Robin "
                "condition."
            )

    both = torch.stack(torch.broadcast_tensors(total_of(load, axes), total_of(gross, axes)), -1)
    net, _ = checked(both, check).unbind(-1)
    return load - mean_weights(tables) * net


def check_held(form: Form, coefficients: Sequence[Tensor], diffusions: int) -> tuple[Tensor, ...]:
    """Returns the coefficients, after a check that reaction or Robin coefficient hold the constant.

    Raises:
        ValueError: they vanish throughout a sample, and nothing else holds the constant.
    """
    masses = []
    for term, c in zip(form.terms[diffusions:], coefficients[diffusions:], strict=True):
        weights = form.tables_of(term).weights
        mass = (c * weights).sum(tuple(range(c.dim() - form.axes_of(term), c.dim())))
        masses.append(mass)
    longest = max(b - a for a, b in form.space.bounds)
    least = HELD * torch.finfo(form.tables.weights.dtype).eps / longest**2

    def check(plain: Tensor) -> None:
        mass, scale = plain.unbind(-1)
        bad = ~(mass > least * scale)
        if bad.any():
            raise ValueError(
                f"reaction and Robin coefficient integrate to {first_of(mass, bad)} of the batch, and "
                "nothing else holds the constant. Leave them out for the solution of mean zero, or make "
                "them larger."
            )

    total = sum(masses[1:], masses[0])
    diffusivity = coefficients[0] * form.tables.weights
    scale = diffusivity.sum(tuple(range(-form.space.axes, 0)))
    both = torch.stack(torch.broadcast_tensors(total, scale), -1)
    checked(both, check)
    return tuple(coefficients)
