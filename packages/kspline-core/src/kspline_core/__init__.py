"""Optimal piecewise polynomials of sampled signals, with their weak Jacobian.

`kspline_core.torch` and `kspline_core.jax` hold the same as differentiable functions (extras `torch` and
`jax`).
"""

from importlib.metadata import version as _version

from kspline_core._fit import fit
from kspline_core._many import fit_many
from kspline_core._path import KSplinePath, fit_path
from kspline_core._penalized import PenaltyPath, fit_penalized, penalty_path
from kspline_core._region_spline import RegionSpline, project_regions
from kspline_core._regions import regions
from kspline_core._select import Selection, select
from kspline_core._spline import Certificate, KSpline

__all__ = [
    "Certificate",
    "KSpline",
    "KSplinePath",
    "PenaltyPath",
    "RegionSpline",
    "Selection",
    "__version__",
    "fit",
    "fit_many",
    "fit_path",
    "fit_penalized",
    "penalty_path",
    "project_regions",
    "regions",
    "select",
]
__version__ = _version("kspline-core")
