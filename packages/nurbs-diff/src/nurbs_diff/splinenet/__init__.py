"""A network that reads a cloud of points and predicts a spline surface through it (SplineNet)."""

from nurbs_diff.splinenet._encoder import SplineNet
from nurbs_diff.splinenet._frame import Frame, normalise
from nurbs_diff.splinenet._losses import regression_loss, surface_loss
from nurbs_diff.splinenet._parsenet import read_parsenet
from nurbs_diff.splinenet._patches import Patches, random_patches
from nurbs_diff.splinenet._train import History, TrainingSettings, predict, train

__all__ = [
    "Frame",
    "History",
    "Patches",
    "SplineNet",
    "TrainingSettings",
    "normalise",
    "predict",
    "random_patches",
    "read_parsenet",
    "regression_loss",
    "surface_loss",
    "train",
]
