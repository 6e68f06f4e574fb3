"""Fuzzy Metaballs: a differentiable renderer of Gaussian mixtures in JAX."""

from importlib.metadata import version

from fuzzy_metaballs._camera import Camera, opengl_pose
from fuzzy_metaballs._fitting.losses import silhouette_loss
from fuzzy_metaballs._fitting.mesh import fit_mesh
from fuzzy_metaballs._fitting.mixture import fit_points
from fuzzy_metaballs._fitting.pose import PoseFit, estimate_pose
from fuzzy_metaballs._fitting.refine import refine
from fuzzy_metaballs._fitting.silhouette import SilhouetteFit, shape_from_silhouette
from fuzzy_metaballs._fitting.stopping import StoppingRule
from fuzzy_metaballs._fitting.track import track_poses
from fuzzy_metaballs._level import level_from_masks, level_from_points
from fuzzy_metaballs._mesh import Mesh, to_mesh
from fuzzy_metaballs._pose import look_at, nearby_poses, orbit_views, se3_exp, sphere_views
from fuzzy_metaballs._render import Image, render
from fuzzy_metaballs._sample import sample_points
from fuzzy_metaballs._shape import FuzzyMetaballs

__version__ = version("fuzzy-metaballs")

__all__ = [
    "Camera",
    "FuzzyMetaballs",
    "Image",
    "Mesh",
    "PoseFit",
    "SilhouetteFit",
    "StoppingRule",
    "__version__",
    "estimate_pose",
    "fit_mesh",
    "fit_points",
    "level_from_masks",
    "level_from_points",
    "look_at",
    "nearby_poses",
    "opengl_pose",
    "orbit_views",
    "refine",
    "render",
    "sample_points",
    "se3_exp",
    "shape_from_silhouette",
    "silhouette_loss",
    "sphere_views",
    "to_mesh",
    "track_poses",
]
