"""Barrowclough et al. (2021), reproduced: implicit-spline segmentation."""
