"""The paper that this app reproduces."""

from repro.experiment import Paper

PAPER = Paper(
    key="implicit_splines",
    authors="Barrowclough et al.",
    title="Binary segmentation of medical images using implicit spline representations and deep learning",
    venue="Computer Aided Geometric Design 85, 2021",
)
