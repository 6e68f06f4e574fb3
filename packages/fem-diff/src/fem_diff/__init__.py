"""Finite elements in PyTorch whose solution is differentiable."""

from __future__ import annotations

from importlib.metadata import version

from fem_diff._boxes.mesh import BoxMesh, unit_square
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._data.conditions import Dirichlet, Neumann, Robin
from fem_diff._field import Field
from fem_diff._forms.anisotropic import Anisotropic
from fem_diff._functionals.energy import energy, residual
from fem_diff._functionals.errors import h1_error, l2_error, nodal_rms
from fem_diff._functionals.training import (
    DualNorm,
    allen_cahn_energy,
    log_energy,
    modica_mortola,
    rescaled,
    scale_free_energy,
    weak_residual,
)
from fem_diff._problems.allen_cahn import AllenCahn, double_well
from fem_diff._problems.elasticity import Elasticity
from fem_diff._problems.evolution import Evolution, evolve
from fem_diff._problems.heat import Heat
from fem_diff._problems.poisson import Poisson
from fem_diff._problems.quasilinear import Quasilinear
from fem_diff._problems.semilinear import Semilinear
from fem_diff._simplices.mesh import SimplexMesh
from fem_diff._simplices.space import SimplexSpace
from fem_diff._solve import Solution, solve
from fem_diff._solvers.cg import ConvergenceError
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
