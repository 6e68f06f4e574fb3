"""Lagrange elements on triangles and tetrahedra."""
