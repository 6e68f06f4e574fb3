"""Knot vectors and parameters that the tests share, and knot derivatives in exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor


def as_tensor(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def clamped(interior: list[float], degree: int) -> Tensor:
    return as_tensor([0.0] * (degree + 1) + interior + [1.0] * (degree + 1))


#: name -> (degree, knots)
KNOTS: dict[str, tuple[int, Tensor]] = {
    "constant": (0, clamped([0.25, 0.5, 0.8], 0)),
    "linear": (1, clamped([0.25, 0.5, 0.8], 1)),
    "linear double": (1, clamped([0.25, 0.5, 0.5, 0.8], 1)),
    "quadratic": (2, clamped([0.1, 0.35, 0.6], 2)),
    "bezier": (4, clamped([], 4)),
    "cubic": (3, clamped([0.2, 0.4, 0.55, 0.9], 3)),
    "cubic double": (3, clamped([0.3758, 0.3758, 0.4333, 0.5503], 3)),
    "cubic triple": (3, clamped([0.2, 0.5, 0.5, 0.5, 0.7], 3)),
    "cubic discontinuous": (3, clamped([0.2, 0.5, 0.5, 0.5, 0.5, 0.7], 3)),
    "cubic close": (3, clamped([0.5, 0.5 + 1e-9, 0.5 + 2e-9], 3)),
    "quintic": (5, clamped([0.15, 0.15, 0.4, 0.77], 5)),
    "unclamped": (3, as_tensor([-0.7, -0.3, -0.1, 0, 0.2, 0.2, 0.5, 0.9, 1, 1.3, 1.4, 2])),
    "repeated at the end of the domain": (2, as_tensor([0, 0.2, 0.3, 0.6, 1, 1, 1.5, 2])),
}


def parameters(degree: int, knots: Tensor, count: int = 40) -> Tensor:
    """Spread over the domain, with both ends and every knot inside it."""
    low, high = knots[degree], knots[-degree - 1]
    spread = low + (high - low) * torch.linspace(0, 1, count, dtype=torch.float64)
    inside = knots[(knots >= low) & (knots <= high)]
    return torch.cat([spread, inside])


@dataclass(frozen=True)
class Dual:
    """A rational number and its derivative, both exact."""

    value: Fraction
    slope: Fraction

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other: Dual) -> Dual:
        return Dual(self.value - other.value, self.slope - other.slope)

    def __mul__(self, other: Dual) -> Dual:
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __truediv__(self, other: Dual) -> Dual:
        slope = (self.slope * other.value - self.value * other.slope) / other.value**2
        return Dual(self.value / other.value, slope)


def exact_knot_derivative(knots: Tensor, degree: int, u: float, j: int) -> list[float]:
    """Derivatives of all basis functions at u in knot j, by the recursion in rational numbers."""
    floats = knots.tolist()
    end = floats[-degree - 1]
    span = max(i for i, x in enumerate(floats) if (x <= u if u < end else x < end))
    zero = Fraction(0)
    t = [Dual(Fraction(x), Fraction(int(i == j))) for i, x in enumerate(floats)]
    x = Dual(Fraction(u), zero)
    values = [Dual(Fraction(int(i == span)), zero) for i in range(len(t) - 1)]
    for d in range(1, degree + 1):
        raised = []
        for i in range(len(values) - 1):
            total = Dual(zero, zero)
            if t[i + d].value > t[i].value:
                total += (x - t[i]) / (t[i + d] - t[i]) * values[i]
            if t[i + d + 1].value > t[i + 1].value:
                total += (t[i + d + 1] - x) / (t[i + d + 1] - t[i + 1]) * values[i + 1]
            raised.append(total)
        values = raised
    return [float(value.slope) for value in values]
