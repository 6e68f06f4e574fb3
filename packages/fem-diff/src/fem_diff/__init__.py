"""Finite elements in PyTorch whose solution is differentiable."""

from __future__ import annotations

from importlib.metadata import version

from fem_diff._allen_cahn import AllenCahn, double_well
from fem_diff._anisotropic import Anisotropic
from fem_diff._cg import ConvergenceError
from fem_diff._conditions import Dirichlet, Neumann, Robin
from fem_diff._elasticity import Elasticity
from fem_diff._energy import energy, residual
from fem_diff._errors import h1_error, l2_error, nodal_rms
from fem_diff._evolution import Evolution, evolve
from fem_diff._field import Field
from fem_diff._functionals import (
    DualNorm,
    allen_cahn_energy,
    log_energy,
    modica_mortola,
    rescaled,
    scale_free_energy,
    weak_residual,
)
from fem_diff._heat import Heat
from fem_diff._mesh import BoxMesh, unit_square
from fem_diff._problem import Poisson
from fem_diff._quasilinear import Quasilinear
from fem_diff._semilinear import Semilinear
from fem_diff._simplex_mesh import SimplexMesh
from fem_diff._simplex_space import SimplexSpace
from fem_diff._solve import Solution, solve
from fem_diff._space import LagrangeSpace
from fem_diff._vtk import write_vtk

__all__ = [
    "AllenCahn",
    "Anisotropic",
    "BoxMesh",
    "ConvergenceError",
    "Dirichlet",
    "DualNorm",
    "Elasticity",
    "Evolution",
    "Field",
    "Heat",
    "LagrangeSpace",
    "Neumann",
    "Poisson",
    "Quasilinear",
    "Robin",
    "Semilinear",
    "SimplexMesh",
    "SimplexSpace",
    "Solution",
    "allen_cahn_energy",
    "double_well",
    "energy",
    "evolve",
    "h1_error",
    "l2_error",
    "log_energy",
    "modica_mortola",
    "nodal_rms",
    "rescaled",
    "residual",
    "scale_free_energy",
    "solve",
    "unit_square",
    "weak_residual",
    "write_vtk",
]
__version__ = version("fem-diff")
