"""The paper that this app reproduces."""

from repro.experiment import Paper

PAPER = Paper(
    key="implicit_splines",
    authors="Barrowclough et al.",
    title="Binary segmentation of medical images using implicit spline representations and deep learning",
    venue="Computer Aided Geometric Design 85, 2021",
)

DATA = (
    "With --data: a folder with CHD68 as published (ct_1001_image.nii.gz, ct_1001_label.nii.gz; the paper's "
    "39 volumes to train on, 13 to validate, 14 to test), or with chd68_ct_512.npz, 36 slices of seven of "
    "those volumes: 5 volumes to train on, volumes 3 and 6 (which the paper validates on) to score, so what "
    "is called a volume is two to seven of its slices. Without --data: regions of a photograph of coins, "
    "which say how well a classical rule is learned and nothing of hearts. The preset `paper` is the "
    "published protocol; it needs a GPU, 24 GB of memory and, by the paper's account, 11 to 15 hours for "
    "every hundred epochs of a network."
)
CAUSE = (
    "Other data: a photograph, or slices of seven volumes, five of them to train on instead of 39 whole "
    "volumes; smaller images and networks; `paper` on the whole of CHD68 alone is the paper's protocol."
)
"""Of the difference between our figures and the paper's."""
