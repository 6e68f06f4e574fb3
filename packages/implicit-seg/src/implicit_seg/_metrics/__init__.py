"""Scores of a predicted mask."""
