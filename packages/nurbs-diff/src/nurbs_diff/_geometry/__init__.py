"""Lengths, normals, curvatures, closest points, meshes."""
