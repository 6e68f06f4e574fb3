"""Differentiable Spline Approximations (Cho et al., NeurIPS 2021): one module per table or figure."""
