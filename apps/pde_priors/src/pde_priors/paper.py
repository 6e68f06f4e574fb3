"""The paper behind this app: only its abstract is at hand, so what is built here is our formulation."""

from repro.experiment import Paper

PAPER = Paper(
    key="pde_priors",
    authors="Poudel and Khadka",
    title="PDE-Constrained Optimization for Neural Image Segmentation with Physics Priors",
    venue="arXiv:2602.01069, 2026",
)
