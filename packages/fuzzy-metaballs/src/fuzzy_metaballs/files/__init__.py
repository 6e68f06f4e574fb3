"""Files in and out: models, meshes, points, splats, pictures, and the cameras of COLMAP and CO3D."""

from fuzzy_metaballs.files._co3d import read_co3d
from fuzzy_metaballs.files._colmap import read_colmap
from fuzzy_metaballs.files._meshes import write_mesh, write_points
from fuzzy_metaballs.files._model import read_model, write_model
from fuzzy_metaballs.files._pictures import write_image, write_turntable
from fuzzy_metaballs.files._splats import read_splats, write_splats
from fuzzy_metaballs.files._view import View

__all__ = [
    "View",
    "read_co3d",
    "read_colmap",
    "read_model",
    "read_splats",
    "write_image",
    "write_mesh",
    "write_model",
    "write_points",
    "write_splats",
    "write_turntable",
]
