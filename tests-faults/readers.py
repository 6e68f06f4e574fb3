"""Every reader of the project: what it is given, how it is called, and which error it documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
        corpus: glob below `corpus/`; each match is a whole input, a file or a folder.
        read: called with a copy that has been damaged.
        damages: of a folder, which of its files are damaged.
        raises: what it documents, as dotted names, imported late.
        is_torch: torch takes minutes to word its refusal of a name of 100 kB in a pickle; such are shortened.
        is_slow: it takes long by itself, so it gets a tenth of the cases.
    """

    corpus: str
    read: Callable[[Path], Any]
    damages: str = "**/*"
    raises: tuple[str, ...] = ("builtins.ValueError",)
    is_torch: bool = False
    is_slow: bool = False

    def inputs(self) -> list[Path]:
        return sorted(CORPUS.glob(self.corpus))


def finite(*arrays: Any) -> None:
    """What was read holds numbers, every one of them finite."""
    for array in arrays:
        values = np.asarray(array)
        assert values.dtype.kind in "biufc", values.dtype
        assert np.isfinite(values).all()


def table(path: Path) -> None:
    from kspline_core._signal_file import read_table

    found = read_table(path)
    assert found.columns.shape[0] == len(found.names)
    assert found.columns.dtype == np.float64


def splines(path: Path) -> None:
    from nurbs_diff.files import read

    for spline in read(path).splines:
        finite(*(part.numpy() for part in spline if part is not None))


def points(path: Path) -> None:
    from nurbs_diff.files import read_points

    found = read_points(path)
    assert found.numel()
    finite(found.numpy())


def patches(path: Path) -> None:
    from nurbs_diff.splinenet import read_parsenet

    finite(*read_parsenet(path, "train"))


def splinenet_checkpoint(path: Path) -> None:
    from nurbs_diff.splinenet._train import _load

    _load(path, "s")


def image(path: Path) -> None:
    from implicit_seg.files import read_image

    assert read_image(path).ndim == 4


def pair(path: Path) -> None:
    """As the command `implicit-seg` reads an image."""
    from implicit_seg._command.folder import read_images

    for found in read_images(path):
        finite(found.image)


def segmentation_checkpoint(path: Path) -> None:
    from implicit_seg.training._checkpoint import load

    load(path, {"settings": "s"})


def segmentation_model(path: Path) -> None:
    from implicit_seg._command.model import load

    load(path)


def simplices(path: Path) -> None:
    from fem_diff import SimplexMesh

    finite(SimplexMesh.read(path).points)


def shape(path: Path) -> None:
    from fuzzy_metaballs.files import read_model

    found = read_model(path)
    finite(found.means, found.log_diagonal, found.shear, found.log_weights, found.log_eta)


def splats(path: Path) -> None:
    from fuzzy_metaballs.files import read_splats

    found = read_splats(path)
    finite(found.means, found.log_diagonal, found.shear, found.log_weights, found.log_eta)


def cameras(path: Path) -> None:
    from fuzzy_metaballs.files import read_colmap

    for view in read_colmap(path):
        finite(view.camera.intrinsics, view.pose)


def frames(path: Path) -> None:
    from fuzzy_metaballs.files import read_co3d

    for view in read_co3d(path):
        finite(view.camera.intrinsics, view.pose)


def mesh(path: Path) -> None:
    from fuzzy_metaballs._command.inputs import read_mesh

    vertices, faces = read_mesh(path)
    finite(vertices)
    assert not faces.size or (faces.min() >= 0 and faces.max() < len(vertices))


def mask(path: Path) -> None:
    from fuzzy_metaballs._command.inputs import read_mask

    finite(read_mask(path))


def start(path: Path) -> None:
    from fuzzy_metaballs._command.inputs import read_start

    found = read_start(str(path), _sphere(), path)
    assert found.shape == (4, 4)
    finite(found)


def views(path: Path) -> None:
    from fuzzy_metaballs._command.inputs import read_views

    masks, camera, poses = read_views(path, None)
    finite(masks, camera.intrinsics, poses)
    assert poses.shape == (len(masks), 4, 4)


def fit_checkpoint(path: Path) -> None:
    from make_corpus import fitting

    from fuzzy_metaballs._fitting.silhouette import _load

    _load(path, "s", fitting())


@cache
def _sphere() -> Any:
    import jax

    from fuzzy_metaballs import FuzzyMetaballs

    return FuzzyMetaballs.sphere(3, key=jax.random.key(0))


def run_result(folder: Path) -> None:
    from repro import result

    found = result.read(folder)
    finite([figure.values for figure in found.figures])
    for picture in found.pictures:
        for file in (picture.light, picture.dark):
            assert (folder / file).resolve().is_relative_to(folder.resolve())


def page(folder: Path) -> None:
    """`repro report` over one run."""
    from repro import report

    report.write(folder, folder / "page.html")


def marker(folder: Path) -> None:
    from repro import store

    store.marker(folder)


def pictures(folder: Path) -> None:
    from repro import _context

    _context.pictures(folder)


def outcome(folder: Path) -> None:
    from repro import runner

    runner.read_outcome(folder / "seed-0" / runner.OUTCOME)


def kept(path: Path) -> None:
    from repro.arrays import read_arrays

    read_arrays(path)


def archive(path: Path) -> None:
    from repro.unpack import unpack

    target = path.parent / "unpacked"
    target.mkdir()
    unpack(path, target)
    assert sorted(found.name for found in path.parent.iterdir()) == sorted([path.name, "unpacked"])


def horses(folder: Path) -> None:
    from dsa import _horses

    finite(_horses.load(folder, 4).images)


def cells(folder: Path) -> None:
    from dsa import _cells

    finite(_cells.load(folder, 4).images)


def picture(path: Path) -> None:
    from dsa._image_set import read

    finite(read(path))


def hearts(folder: Path) -> None:
    from implicit_splines import _chd68

    for volume in _chd68.load(folder, "blood volume").train:
        finite(volume.images, volume.masks)


def livecell(folder: Path) -> None:
    from pde_priors import livecell_data

    split, _ = livecell_data.load(folder, ["A172"], "BV2")
    for frame in (*split.train, *split.validation, *split.test):
        finite(frame.image, frame.mask)


USER = ("repro.errors.UserError",)
READERS = {
    "kspline-core: read_table": Reader("signals/*", table),
    "nurbs-diff: files.read": Reader("splines/*", splines),
    "nurbs-diff: files.read_points": Reader("points/*", points),
    "nurbs-diff: splinenet.read_parsenet": Reader("patches/*", patches),
    "nurbs-diff: splinenet checkpoint": Reader("checkpoints/splinenet", splinenet_checkpoint, is_torch=True),
    "implicit-seg: files.read_image": Reader("images/*", image),
    "implicit-seg: images of the command": Reader("images/*", pair),
    "implicit-seg: training checkpoint": Reader(
        "checkpoints/segmentation", segmentation_checkpoint, is_torch=True
    ),
    "implicit-seg: model of the command": Reader(
        "checkpoints/model.pt", segmentation_model, is_torch=True, is_slow=True
    ),
    "fem-diff: SimplexMesh.read": Reader("simplices/*", simplices),
    "fuzzy-metaballs: files.read_model": Reader("models/*", shape),
    "fuzzy-metaballs: files.read_splats": Reader("splats/*", splats),
    "fuzzy-metaballs: files.read_colmap": Reader("cameras/*", cameras),
    "fuzzy-metaballs: files.read_co3d": Reader("frames/*", frames),
    "fuzzy-metaballs: meshes of the command": Reader("meshes/*", mesh),
    "fuzzy-metaballs: masks of the command": Reader("masks/*", mask),
    "fuzzy-metaballs: poses of the command": Reader("poses/*", start),
    "fuzzy-metaballs: views of the command": Reader("views/*", views),
    "fuzzy-metaballs: fit checkpoint": Reader("checkpoints/fit.npz", fit_checkpoint),
    "repro: result.json": Reader("results/toy.walk/*", run_result, "result.json", USER),
    "repro: report": Reader("results", page, "**/*", USER),
    "repro: identity.json": Reader("results/toy.walk/*", marker, "identity.json"),
    "repro: index of pictures": Reader("results/toy.walk/*", pictures, "**/index.json", USER),
    "repro: outcome of a seed": Reader("results/toy.walk/*", outcome, "**/outcome.json", USER),
    "repro: kept arrays": Reader("images/*.npz", kept),
    "repro: archives of data sets": Reader("archives/*", archive, raises=("repro.errors.DataError",)),
    "dsa: horses": Reader("sets/horses", horses),
    "dsa: cells": Reader("sets/cells", cells),
    "dsa: pictures": Reader("images/*.[pbjt]*", picture),
    "implicit-splines: CHD68": Reader("sets/chd68", hearts),
    "pde-priors: LIVECell, whole frames": Reader("sets/livecell", livecell),
    "pde-priors: LIVECell, crops": Reader("sets/crops", livecell),
    "pde-priors: LIVECell, published": Reader("sets/published", livecell),
}
