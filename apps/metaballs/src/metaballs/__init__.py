"""Approximate Differentiable Rendering with Algebraic Surfaces (ECCV 2022), one module per table."""
