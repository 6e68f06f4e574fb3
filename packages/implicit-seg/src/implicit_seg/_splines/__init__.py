"""Tensor-product splines on open uniform knots, and their values on a regular grid."""
