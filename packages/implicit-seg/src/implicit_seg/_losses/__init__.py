"""Losses against a mask, and priors on the prediction alone."""
