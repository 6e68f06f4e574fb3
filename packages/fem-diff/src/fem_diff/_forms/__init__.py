"""Bilinear forms and energies, and their derivatives."""
