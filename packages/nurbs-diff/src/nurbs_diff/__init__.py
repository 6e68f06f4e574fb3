"""Differentiable NURBS in PyTorch: gradients in control points, weights, parameters and knots."""

from importlib.metadata import version

from nurbs_diff._basis import basis_functions
from nurbs_diff._evaluate import evaluate_curve, evaluate_surface, evaluate_volume
from nurbs_diff._evaluate_at import evaluate_surface_at, evaluate_volume_at
from nurbs_diff._fit import SurfaceFit, fit_surface
from nurbs_diff._knots import close_net, uniform_knots
from nurbs_diff._mesh import Mesh
from nurbs_diff._modules import NurbsCurve, NurbsSurface, NurbsVolume
from nurbs_diff._splines import Curve, Surface, Volume

__all__ = [
    "Curve",
    "Mesh",
    "NurbsCurve",
    "NurbsSurface",
    "NurbsVolume",
    "Surface",
    "SurfaceFit",
    "Volume",
    "basis_functions",
    "close_net",
    "evaluate_curve",
    "evaluate_surface",
    "evaluate_surface_at",
    "evaluate_volume",
    "evaluate_volume_at",
    "fit_surface",
    "uniform_knots",
]
__version__ = version("nurbs-diff")
