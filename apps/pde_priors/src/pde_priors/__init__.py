"""Segmentation with physics priors after Poudel and Khadka (2026): our formulation."""
