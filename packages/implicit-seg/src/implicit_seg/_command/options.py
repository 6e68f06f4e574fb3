"""The options of the command's parts, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # tyro reads the annotations
from typing import Literal

import tyro  # noqa: TC002  # likewise

Network = Literal["unet-implicit", "unet", "vgg1", "vgg2"]
Loss = Literal["dice", "jaccard", "accuracy", "mask-mae", "mask-mse"]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Trains a network on a folder of images and a folder of masks of the same names."""

    images: Path
    """Folder of .png .jpg .bmp .tif .npz .npy .nii .nii.gz .nrrd .dcm; volumes are taken slice by slice. They
    are kept in memory."""
    masks: Path
    """Folder with a mask for each image, of the same name without the ending."""
    out: Path
    """Folder of the run: checkpoint, model.pt, history.csv, curves.png. The same line given again
    goes on there."""
    labels: tuple[int, ...] = ()
    """Mask values that are inside. None given: all but 0."""
    size: tuple[int, int] | None = None
    """Rows and columns that images are resampled to. None: as they are, all alike."""
    window: tuple[float, float] | None = None
    """Values that become 0 and 1, such as -100 500 (CT). None: each image gets mean 0 and deviation 1."""
    network: Network = "unet-implicit"
    """unet has one value a pixel, the others predict spline coefficients."""
    depth: int = 3
    """Of the U-Nets: down-scalings."""
    bottleneck: int = 8
    """Of unet-implicit: coefficients at the bottleneck; bottleneck x 2^depth in each direction."""
    filters: int = 16
    """Of the U-Nets: filters of the first block."""
    degree: int = 1
    """Of the spline: 1, 2 or 3."""
    loss: Loss = "dice"
    """What is minimised."""
    epsilon: float = 0.1
    """Of dice, jaccard and accuracy: width of the soft mask."""
    epochs: int = 100
    """At most."""
    patience: int | None = None
    """Epochs without a lower validation loss before training ends, with the best weights. None: never."""
    validation: float = 0.15
    """Share of the images that are not trained on (drawn by the seed, whole files). 0: none."""
    batch_size: int = 10
    """Over all processes together."""
    optimizer: Literal["sgd", "adam"] = "adam"
    """sgd has Nesterov momentum 0.9."""
    learning_rate: float = 1e-3
    """At the start."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Of the learning rate."""
    augment: Literal["none", "turns", "full"] = "turns"
    """turns: the symmetries of the square. full: also shifts, scales, rotations, bending, noise."""
    seed: int = 0
    """Of all that is drawn."""
    device: str = "auto"
    """cpu, cuda, cuda:1 ...; auto: a GPU where there is one. Under `accelerate launch`: its own."""


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Segments images: masks, contours (SVG, GeoJSON) and pictures."""

    run: tyro.conf.Positional[Path]
    """Folder of a finished run, or its model.pt."""
    images: Path
    """An image, or a folder of them."""
    out: Path
    """Folder for masks/, contours/ and pictures/; it is made."""
    scale: int = 1
    """Samples of the mask for each pixel, in each direction. The contours know no pixels."""
    min_area: float = 0.0
    """Smaller regions are left out, square pixels."""
    fill_holes: float = 0.0
    """Smaller holes are filled, square pixels."""
    largest: int | None = None
    """How many regions are kept. None: all."""
    level: float = 0.0
    """The boundary is where the network's spline has this value."""
    device: str = "auto"
    """cpu, cuda ...; auto: a GPU where there is one."""


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Scores masks against true ones: a table, JSON and CSV."""

    predicted: tyro.conf.Positional[Path]
    """Folder of masks, such as OUT/masks of predict, or any other program's."""
    masks: tyro.conf.Positional[Path]
    """Folder of true masks of the same names."""
    out: Path
    """Name without an ending: writes NAME.json and NAME.csv."""
    labels: tuple[int, ...] = ()
    """Values of the true masks that are inside. None given: all but 0."""
    spacing: float = 1.0
    """Distance between pixels, for distances."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """Writes a model for use without this package, checked against the original before it is kept."""

    run: tyro.conf.Positional[Path]
    """Folder of a finished run, or its model.pt."""
    target: tyro.conf.Positional[Path]
    """The program, .pt2 (torch.export) or .onnx: images (batch, channels, rows, columns) in, values of the
    spline out, positive inside."""
