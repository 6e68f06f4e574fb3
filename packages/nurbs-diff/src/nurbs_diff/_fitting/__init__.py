"""Splines close to points: least squares, free knots and weights, clouds, distances."""
