"""The paper behind this app."""

from repro.experiment import Paper

PAPER = Paper(
    key="dsa",
    authors="Cho et al.",
    title="Differentiable Spline Approximations",
    venue="NeurIPS 2021",
)
