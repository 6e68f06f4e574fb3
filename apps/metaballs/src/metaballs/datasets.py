"""The data sets that this app's experiments read with `--data`; `repro data` lists and fetches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro.dataset import Dataset, File, require

if TYPE_CHECKING:
    from pathlib import Path


def _stored(name: str, sha512: str) -> File:
    """A file of VTK's store of test data, which is addressed by content."""
    address = f"https://www.vtk.org/files/ExternalData/SHA512/{sha512}"
    return File(name=name, urls=(address,), checksum=f"sha512:{sha512}")


def _read_meshes(folder: Path) -> str:
    from metaballs.models import TEN, load

    return f"All {len(load(folder, len(TEN), resolution=0))} meshes can be read."


def _read_video(folder: Path) -> str:
    from metaballs.figure9 import co3d

    video = co3d(folder, frames=10_000, pixels=8)  # more than any has: each is read
    return f"All {len(video.poses)} frames of the first sequence can be read, with their masks."


SCANS = Dataset(
    name="stanford-scans",
    title="three of the paper's ten models: armadillo, bunny and dragon",
    licence="for research; commercial use only by permission of the laboratory",
    citation="The Stanford 3D Scanning Repository, Stanford University Computer Graphics Laboratory; the "
    "files are those of VTK's test data",
    home="https://graphics.stanford.edu/data/3Dscanrep/",
    files=(
        _stored(
            "armadillo.ply",
            "185968af0708e6b5b5f4219ad79a4e3168d5dbe79061b161a3a5c207c2c884e3"
            "1d296d56abe93f34c295c4fb8cc2c76c32d9ae5f24345c0ea4566faddf60dd00",
        ),
        _stored(
            "bunny.ply",
            "9f7e7e9bb58d4a92b1e4712c5e04c623a1e9514ef6c8e17675131c997b9cf092"
            "37d11b73ea702dd09aebc9a96deae9aee8625e2a4986b85cb53758bc70446365",
        ),
        _stored(
            "dragon.ply",
            "87cb1200d6846cdff70e13e1b3683966f88000d35dd938ecb8c7d3cee818e3e7"
            "e99e79f2ec8f0769ea8d5222ba1ea19888e4017e82c6753d7ae9c20bb3a545cb",
        ),
    ),
    layout="armadillo.ply, bunny.ply, dragon.ply; further meshes (PLY, OBJ, OFF, STL) may lie beside them",
    check=lambda folder: require(folder, {"armadillo.ply": 1, "bunny.ply": 1, "dragon.ply": 1}),
    read=_read_meshes,
    experiments=(
        "metaballs.figure3",
        "metaballs.figure4",
        "metaballs.gmm",
        "metaballs.table1",
        "metaballs.table2",
        "metaballs.table3",
    ),
)

CO3D = Dataset(
    name="co3d",
    title="videos around objects, with cameras and imperfect masks",
    licence="CC BY-NC 4.0: not for commercial use",
    citation="Reizenstein et al., Common objects in 3D, ICCV 2021",
    home="https://github.com/facebookresearch/co3d",
    by_hand="the page's script downloads single categories; one is enough. Put its folder into this one.",
    layout="CATEGORY/frame_annotations.jgz with CATEGORY/SEQUENCE/{images,masks}",
    check=lambda folder: require(folder, {"**/frame_annotations.jgz": 1}),
    read=_read_video,
    experiments=("metaballs.figure9",),
)
