"""Optimal piecewise polynomials of sampled signals, with their weak Jacobian.

`kspline_core.torch` and `kspline_core.jax` hold the same as differentiable functions (extras `torch` and
`jax`).
"""

from importlib.metadata import version as _version

from kspline_core._fit import fit
from kspline_core._many import fit_many
from kspline_core._region_spline import RegionSpline, project_regions
from kspline_core._regions import regions
from kspline_core._spline import Certificate, KSpline

__all__ = [
    "Certificate",
    "KSpline",
    "RegionSpline",
    "__version__",
    "fit",
    "fit_many",
    "project_regions",
    "regions",
]
__version__ = _version("kspline-core")
