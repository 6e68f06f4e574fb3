"""The projections as differentiable PyTorch functions and as layers.

In one dimension `kspline` and `KSplineLayer`; in two `regions`, `project_regions`, `piecewise_constant_2d`
and `PiecewiseConstant2d`. Tensors stay on their device.
"""

try:
    import torch as _torch  # noqa: F401 (for the message)
except ImportError as error:
    raise ImportError('`kspline_core.torch` needs PyTorch: pip install "kspline-core[torch]".') from error

from kspline_core.torch._kspline import KSplineLayer, kspline
from kspline_core.torch._regions import PiecewiseConstant2d, piecewise_constant_2d, project_regions, regions

__all__ = [
    "KSplineLayer",
    "PiecewiseConstant2d",
    "kspline",
    "piecewise_constant_2d",
    "project_regions",
    "regions",
]
