"""Differentiable NURBS in PyTorch: gradients in control points, weights, parameters and knots."""

from importlib.metadata import version

from nurbs_diff._derivatives.derivatives import curve_derivatives, surface_derivatives
from nurbs_diff._evaluation.basis import basis_functions
from nurbs_diff._evaluation.grids import evaluate_curve, evaluate_surface, evaluate_volume
from nurbs_diff._fitting.cloud import CloudFit, fit_cloud
from nurbs_diff._fitting.curve import CurveFit, fit_curve
from nurbs_diff._fitting.distances import chamfer_distance, hausdorff_distance, nearest_distances
from nurbs_diff._fitting.smoothness import bending_energy
from nurbs_diff._fitting.surface import SurfaceFit, fit_surface
from nurbs_diff._geometry.closest_point import ClosestPoints, closest_point_on_curve, closest_point_on_surface
from nurbs_diff._geometry.curves import arc_length, curve_curvature, curve_torsion
from nurbs_diff._geometry.surfaces import (
    SurfaceCurvatures,
    first_fundamental_form,
    second_fundamental_form,
    surface_area,
    surface_curvatures,
    surface_normals,
)
from nurbs_diff._geometry.tessellation import Polyline, tessellate_curve, tessellate_surface
from nurbs_diff._geometry.trimming import points_in_loops, tessellate_trimmed_surface, trimmed_area
from nurbs_diff._knots import close_net, uniform_knots
from nurbs_diff._mesh import TriangleMesh
from nurbs_diff._modules.grid import SplineGrid
from nurbs_diff._modules.modules import NurbsCurve, NurbsSurface, NurbsVolume
from nurbs_diff._refinement.operations import (
    BezierPatches,
    elevate_degree,
    extract_bezier,
    insert_knots,
    reverse,
    split,
    swap_directions,
)
from nurbs_diff._refinement.operators import (
    BezierExtraction,
    bezier_extraction,
    degree_elevation_matrix,
    knot_insertion_matrix,
)
from nurbs_diff._refinement.removal import Simplified, reduce_degree, remove_knots
from nurbs_diff._splines import Curve, Surface, Volume

__all__ = [
    "BezierExtraction",
    "BezierPatches",
    "ClosestPoints",
    "CloudFit",
    "Curve",
    "CurveFit",
    "NurbsCurve",
    "NurbsSurface",
    "NurbsVolume",
    "Polyline",
    "Simplified",
    "SplineGrid",
    "Surface",
    "SurfaceCurvatures",
    "SurfaceFit",
    "TriangleMesh",
    "Volume",
    "arc_length",
    "basis_functions",
    "bending_energy",
    "bezier_extraction",
    "chamfer_distance",
    "close_net",
    "closest_point_on_curve",
    "closest_point_on_surface",
    "curve_curvature",
    "curve_derivatives",
    "curve_torsion",
    "degree_elevation_matrix",
    "elevate_degree",
    "evaluate_curve",
    "evaluate_surface",
    "evaluate_volume",
    "extract_bezier",
    "first_fundamental_form",
    "fit_cloud",
    "fit_curve",
    "fit_surface",
    "hausdorff_distance",
    "insert_knots",
    "knot_insertion_matrix",
    "nearest_distances",
    "points_in_loops",
    "reduce_degree",
    "remove_knots",
    "reverse",
    "second_fundamental_form",
    "split",
    "surface_area",
    "surface_curvatures",
    "surface_derivatives",
    "surface_normals",
    "swap_directions",
    "tessellate_curve",
    "tessellate_surface",
    "tessellate_trimmed_surface",
    "trimmed_area",
    "uniform_knots",
]
__version__ = version("nurbs-diff")
