"""Splines as torch modules."""
