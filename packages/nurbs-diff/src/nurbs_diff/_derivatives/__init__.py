"""Partial derivatives of splines, and their blossoms."""
