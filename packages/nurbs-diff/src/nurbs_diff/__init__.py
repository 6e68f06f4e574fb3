"""Differentiable NURBS in PyTorch: gradients in control points, weights, parameters and knots."""

from importlib.metadata import version

from nurbs_diff._basis import basis_functions
from nurbs_diff._distances import chamfer_distance, hausdorff_distance, nearest_distances
from nurbs_diff._evaluate import evaluate_curve, evaluate_surface, evaluate_volume
from nurbs_diff._evaluate_at import evaluate_surface_at, evaluate_volume_at
from nurbs_diff._fit import SurfaceFit, fit_surface
from nurbs_diff._fit_cloud import CloudFit, fit_cloud
from nurbs_diff._fit_curve import CurveFit, fit_curve
from nurbs_diff._knots import close_net, uniform_knots
from nurbs_diff._mesh import Mesh
from nurbs_diff._modules import NurbsCurve, NurbsSurface, NurbsVolume
from nurbs_diff._smoothness import bending_energy
from nurbs_diff._splines import Curve, Surface, Volume

__all__ = [
    "CloudFit",
    "Curve",
    "CurveFit",
    "Mesh",
    "NurbsCurve",
    "NurbsSurface",
    "NurbsVolume",
    "Surface",
    "SurfaceFit",
    "Volume",
    "basis_functions",
    "bending_energy",
    "chamfer_distance",
    "close_net",
    "evaluate_curve",
    "evaluate_surface",
    "evaluate_surface_at",
    "evaluate_volume",
    "evaluate_volume_at",
    "fit_cloud",
    "fit_curve",
    "fit_surface",
    "hausdorff_distance",
    "nearest_distances",
    "uniform_knots",
]
__version__ = version("nurbs-diff")
