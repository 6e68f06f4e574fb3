"""Finite elements in PyTorch whose solution is differentiable."""

from __future__ import annotations

from importlib.metadata import version

from fem_diff._anisotropic import Anisotropic
from fem_diff._cg import ConvergenceError
from fem_diff._conditions import Dirichlet, Neumann, Robin
from fem_diff._energy import energy, residual
from fem_diff._errors import h1_error, l2_error, nodal_rms
from fem_diff._field import Field
from fem_diff._mesh import BoxMesh, unit_square
from fem_diff._problem import Poisson
from fem_diff._solve import Solution, solve
from fem_diff._space import LagrangeSpace
from fem_diff._vtk import write_vtk

__all__ = [
    "Anisotropic",
    "BoxMesh",
    "ConvergenceError",
    "Dirichlet",
    "Field",
    "LagrangeSpace",
    "Neumann",
    "Poisson",
    "Robin",
    "Solution",
    "energy",
    "h1_error",
    "l2_error",
    "nodal_rms",
    "residual",
    "solve",
    "unit_square",
    "write_vtk",
]
__version__ = version("fem-diff")
