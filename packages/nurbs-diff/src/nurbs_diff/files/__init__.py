"""Splines, meshes and point clouds from and to files; no further package is needed.

- `.json`: geomdl's exchange format; curves, surfaces or volumes of any dimension
- `.smesh`, `.dat`: geomdl's surface mesh; one surface
- `.step`, `.stp`: STEP, ISO 10303-21, AP214; B-spline and NURBS curves and surfaces
- `.iges`, `.igs`: IGES 5.3, entities 126 and 128; B-spline and NURBS curves and surfaces
- `.obj`, `.ply`, `.stl`: triangles of a mesh, written only
- `.ply`, `.obj`, `.xyz`, `.txt`, `.csv`, `.npy`: points, read by `read_points`

Numbers are written so that float64 comes back to the last bit (STL stores float32 by its definition). A file
is written beside its place and then renamed: it is there whole or not at all.
"""

from nurbs_diff.files._contents import Contents
from nurbs_diff.files._points import read_points
from nurbs_diff.files._read import read
from nurbs_diff.files._write import write

__all__ = ["Contents", "read", "read_points", "write"]
