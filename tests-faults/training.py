"""A training of a package with its checkpoint in the folder; writes a digest of what was learned."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

CHECKPOINT, LEARNED = Path("checkpoint"), Path("learned.txt")


def segmentation() -> list[np.ndarray]:
    import torch

    from implicit_seg import DiceLoss, UNet
    from implicit_seg.training import TrainingSettings, train

    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(1, 32, 32, generator=generator) for _ in range(16)]
    torch.manual_seed(0)
    model = UNet(2, 8)
    items = [(image, (image > 0.5).float()) for image in images]
    train(model, items, DiceLoss(), TrainingSettings(epochs=25, batch_size=4), checkpoint=CHECKPOINT)
    return [value.numpy() for value in model.state_dict().values()]


def splinenet() -> list[np.ndarray]:
    import torch

    from nurbs_diff.splinenet import SplineNet, TrainingSettings, random_patches, train

    def source(count, generator):
        return random_patches(count, generator, size=5, points=32)

    torch.manual_seed(0)
    network = SplineNet(5, neighbours=4)
    settings = TrainingSettings(steps=24, batch_size=2, validate_every=2)
    train(network, source, source(4, torch.Generator().manual_seed(1)), settings, checkpoint=CHECKPOINT)
    return [value.numpy() for value in network.state_dict().values()]


def silhouette() -> list[np.ndarray]:
    import jax

    from fuzzy_metaballs import Camera, look_at, shape_from_silhouette

    camera = Camera.from_fov(24, 24, fov=0.8)
    turns = 2 * np.pi * np.arange(4) / 4
    poses = np.stack([look_at([3 * np.sin(t), 0.5, 3 * np.cos(t)]) for t in turns])
    rows, columns = np.mgrid[:24, :24]
    masks = np.stack([((rows - 11.5) ** 2 + (columns - 11.5) ** 2 < 40).astype(np.float32)] * 4)
    fit = shape_from_silhouette(
        masks, camera, poses, components=4, epochs=60, key=jax.random.key(0), checkpoint=CHECKPOINT
    )
    return [np.asarray(leaf) for leaf in jax.tree.leaves(fit.shape)]


if __name__ == "__main__":
    learned = {"segmentation": segmentation, "splinenet": splinenet, "silhouette": silhouette}[sys.argv[1]]()
    LEARNED.write_text(hashlib.sha256(b"".join(value.tobytes() for value in learned)).hexdigest())
