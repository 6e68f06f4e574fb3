"""Shapes and poses from points, meshes and masks."""
