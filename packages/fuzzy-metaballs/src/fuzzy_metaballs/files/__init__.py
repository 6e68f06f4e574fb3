"""Files in and out: the cameras of COLMAP and CO3D."""

from fuzzy_metaballs.files._co3d import read_co3d
from fuzzy_metaballs.files._colmap import read_colmap
from fuzzy_metaballs.files._view import View

__all__ = ["View", "read_co3d", "read_colmap"]
