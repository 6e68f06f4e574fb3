"""The paper behind this app."""

from repro.experiment import Paper

PAPER = Paper(
    key="metaballs",
    authors="Keselman and Hebert",
    title="Approximate Differentiable Rendering with Algebraic Surfaces",
    venue="ECCV 2022",
)
