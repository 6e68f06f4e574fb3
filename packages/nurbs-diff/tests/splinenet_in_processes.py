"""Trains a small network; a script for `accelerate launch`, each of whose processes saves what it got."""

from __future__ import annotations

import sys

import torch
from accelerate import PartialState
from torch import Generator

from nurbs_diff.splinenet import Patches, SplineNet, TrainingSettings, random_patches, train

SETTINGS = TrainingSettings(
    steps=6, batch_size=3, samples=6, validate_every=2, patience=0, learning_rate=0.02, least_rate=1e-4
)


def tiny() -> SplineNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SplineNet(4, widths=(8, 8), features=16).double()


def patches(count: int, generator: Generator) -> Patches:
    return Patches(*(values.double() for values in random_patches(count, generator, size=4, points=40)))


if __name__ == "__main__":
    model = tiny()
    history = train(model, patches, patches(4, Generator().manual_seed(1)), SETTINGS)
    processes = PartialState()
    torch.save(
        (processes.num_processes, model.state_dict(), tuple(history)),
        f"{sys.argv[1]}/{processes.process_index}.pt",
    )
