"""`implicit-seg predict`: images in; masks, contours and pictures out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from implicit_seg import ImplicitSpline, filter_components
from implicit_seg._command import outputs
from implicit_seg._command.folder import Pair, files_of, prepare, read_images
from implicit_seg._command.model import degree_of, device_of, load
from implicit_seg.files import write_geojson, write_mask, write_svg

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from implicit_seg._command.options import Predict


def run(command: Predict) -> None:
    """Reads all images first; then segments one after the other."""
    outputs.check_folder("--out", command.out)
    if command.scale < 1:
        raise ValueError(f"--scale must be at least 1; got {command.scale}.")
    for option, value in (("min-area", command.min_area), ("fill-holes", command.fill_holes)):
        if not value >= 0:
            raise ValueError(f"--{option} must not be negative; got {value}.")
    spec, model = load(command.run)
    files, pairs = files_of(command.images), read_images(command.images)
    wrong = [str(files[pair.name]) for pair in pairs if pair.image.shape[3] != spec["channels"]]
    if wrong:
        raise ValueError(f"the model takes {spec['channels']} channels; others have {', '.join(wrong)}.")
    model.to(device_of(command.device))
    for name in ("masks", "contours", "pictures"):
        (command.out / name).mkdir(parents=True, exist_ok=True)
    total = 0
    with outputs.Bar("predict", "regions") as bar:
        for done, pair in enumerate(pairs, 1):
            count = _segment(command, spec, model, pair, files[pair.name])
            total += count
            bar(done, len(pairs), float(count))
    outputs.say(f"{command.out}: {len(pairs)} images, {total} regions")


def _segment(command: Predict, spec: dict, model: nn.Sequential, pair: Pair, file: Path) -> int:
    masks, count = [], 0
    window = None if spec["window"] is None else tuple(spec["window"])
    for k, image in enumerate(pair.image):
        name = pair.name if len(pair.image) == 1 else f"{pair.name}_{k:04d}"
        values = prepare(image, tuple(spec["size"]), window)[None].to(next(model.parameters()).device)
        with torch.no_grad():
            coefficients = model[0](values)[0, 0]
        # the spline knows no pixels: at the image's own size, whatever the network saw
        shape = ImplicitSpline(coefficients, degree_of(spec), size=image.shape[:2], level=command.level)
        regions = shape.regions(
            min_area=command.min_area, fill_holes=command.fill_holes, largest=command.largest
        )
        samples = command.scale**2  # of a square pixel
        masks.append(
            filter_components(
                shape.mask([command.scale * m for m in shape.size]),
                min_size=int(np.ceil(command.min_area * samples)),
                fill_holes=int(np.ceil(min(command.fill_holes, image.size) * samples)),
                largest=command.largest,
            )
        )
        write_svg(command.out / "contours" / f"{name}.svg", regions, size=shape.size)
        write_geojson(command.out / "contours" / f"{name}.geojson", regions)
        _picture(command.out / "pictures" / f"{name}.png", shape, image)
        count += len(regions)
    ending = _ending(file)
    write_mask(command.out / "masks" / (pair.name + ending), masks[0] if len(masks) == 1 else np.stack(masks))
    return count


def _ending(file: Path) -> str:
    """A volume's masks are written as a volume."""
    for ending in (".nii.gz", ".nii", ".nrrd", ".tif", ".tiff", ".npz"):
        if file.name.lower().endswith(ending):
            return ending
    return ".npz" if file.suffix.lower() == ".npy" else ".png"


def _picture(path: Path, shape: ImplicitSpline, image: np.ndarray) -> None:
    from matplotlib.figure import Figure

    height, width = shape.size
    figure = Figure(figsize=(6, max(1.0, 6 * height / width)), layout="constrained")
    low, high = np.percentile(image, [0.5, 99.5])
    shown = np.clip((image - low) / (high - low if high > low else 1), 0, 1)
    shape.plot(figure.add_subplot(), image=shown[..., 0] if image.shape[2] != 3 else shown)
    outputs.write_figure(path, figure)
