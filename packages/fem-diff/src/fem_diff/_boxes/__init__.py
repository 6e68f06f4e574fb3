"""Lagrange elements on tensor meshes of boxes."""
