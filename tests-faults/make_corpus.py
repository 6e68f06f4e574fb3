"""Writes `corpus/`: small whole files of every format that is read, from which the damaged ones are made.

    uv run python tests-faults/make_corpus.py

A folder stands for a reader of several files. Writing them anew changes little: names of formats and times.
"""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import wave
import zipfile
from dataclasses import asdict
from pathlib import Path

import h5py
import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import meshio
import nibabel
import nrrd
import numpy as np
import tifffile
import torch
import trimesh
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from fuzzy_metaballs import FuzzyMetaballs
from fuzzy_metaballs._fitting import silhouette
from fuzzy_metaballs.files import write_model, write_splats
from implicit_seg import UNet
from implicit_seg._command import model as segmentation
from implicit_seg.training import _checkpoint
from nurbs_diff import Curve, Surface, TriangleMesh, uniform_knots
from nurbs_diff.files import write
from nurbs_diff.splinenet import _train as splinenet
from repro import atomic, result, runner, store
from repro._context import Picture
from repro.environment import Environment
from repro.experiment import Paper
from repro.identity import Identity
from repro.result import Measured, Published, Result, Seed

CORPUS = Path(__file__).parent / "corpus"
RANDOM = np.random.default_rng(8)
IMAGE = RANDOM.integers(0, 256, (6, 5), np.uint8)


def signals(folder: Path) -> None:
    (folder / "names.csv").write_text("time,pressure\n0,1.5\n1,NA\n2,-3e-2\n")
    (folder / "blanks.txt").write_text("# a signal\n1\n2.5\n-4\n")
    (folder / "tabs.tsv").write_text("a\tb\n1\t2\n3\t4\n")
    np.save(folder / "signal.npy", np.arange(12.0).reshape(6, 2))
    np.save(folder / "counts.npy", np.arange(6, dtype=np.int16))
    for width in (1, 2, 3):
        with wave.open(str(folder / f"sound{8 * width}.wav"), "wb") as sound:
            sound.setparams((2, width, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(range(12 * width)))


def splines(folder: Path) -> None:
    net = torch.arange(12, dtype=torch.float64).reshape(2, 2, 3) / 7
    knots = uniform_knots(2, degree=1)
    curve = Curve(net[0], knots)
    surface = Surface(net, knots, knots, torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float64))
    for ending in (".step", ".iges"):
        write(folder / f"both{ending}", curve, surface)
    for ending in (".json", ".smesh"):
        write(folder / f"surface{ending}", surface)
    write(folder / "curve.json", curve)


def points(folder: Path) -> None:
    mesh = TriangleMesh(torch.rand(6, 3), torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.rand(6, 2))
    for ending in (".ply", ".obj"):
        write(folder / f"mesh{ending}", mesh)
    header = "ply\nformat ascii 1.0\nelement vertex 2\n" + "".join(f"property float {x}\n" for x in "xyz")
    (folder / "text.ply").write_text(header + "end_header\n1 2 3\n4 5 6\n")
    (folder / "cloud.xyz").write_text("# cloud\n1 2 3\n4.5 6e-7 -8\n9 10 11\n")
    (folder / "cloud.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    np.save(folder / "cloud.npy", np.arange(12.0).reshape(4, 3))


def images(folder: Path) -> None:
    color = RANDOM.integers(0, 256, (6, 5, 3), np.uint8)
    for ending in (".png", ".jpg", ".bmp"):
        imageio.imwrite(folder / f"grey{ending}", IMAGE)
    imageio.imwrite(folder / "color.png", color)
    tifffile.imwrite(folder / "stack.tif", np.stack([IMAGE, IMAGE]))
    tifffile.imwrite(folder / "packed.tif", IMAGE, compression="zlib")
    np.save(folder / "array.npy", IMAGE)
    np.savez(folder / "arrays.npz", image=IMAGE, more=IMAGE)
    np.savez_compressed(folder / "packed.npz", image=IMAGE)
    volume = nibabel.Nifti1Image(np.stack([IMAGE, IMAGE]).astype(np.int16), np.eye(4))
    nibabel.save(volume, folder / "volume.nii")
    nibabel.save(volume, folder / "volume.nii.gz")
    nrrd.write(str(folder / "volume.nrrd"), np.stack([IMAGE, IMAGE]))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    slices = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    slices.SOPClassUID, slices.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    slices.Rows, slices.Columns, slices.SamplesPerPixel = 6, 5, 1
    slices.PhotometricInterpretation, slices.PixelRepresentation = "MONOCHROME2", 0
    slices.BitsAllocated, slices.BitsStored, slices.HighBit = 8, 8, 7
    slices.RescaleSlope, slices.RescaleIntercept = "2", "-5"
    slices.PixelData = IMAGE.tobytes()
    slices.save_as(folder / "slice.dcm", enforce_file_format=True)


def models(folder: Path) -> None:
    write_model(folder / "shape.npz", FuzzyMetaballs.sphere(3, key=jax.random.key(0)))


def splats(folder: Path) -> None:
    write_splats(folder / "splats.ply", FuzzyMetaballs.sphere(3, key=jax.random.key(0)))
    names = ["x", "y", "z", "opacity", "scale_0", "scale_1", "scale_2", *(f"rot_{i}" for i in range(4))]
    header = "ply\nformat ascii 1.0\nelement vertex 1\n" + "".join(f"property float {x}\n" for x in names)
    (folder / "text.ply").write_text(header + "end_header\n0 1 2 0.5 -1 -1 -1 1 0 0 0\n")


def cameras(folder: Path) -> None:
    text, binary = folder / "text", folder / "binary"
    text.mkdir()
    (text / "cameras.txt").write_text("# cameras\n1 PINHOLE 64 48 60 61 32 24\n2 SIMPLE_PINHOLE 8 6 7 4 3\n")
    (text / "images.txt").write_text(
        "# images\n1 1 0 0 0 0.5 0 4 1 a.png\n1 2 3\n2 0.6 0.8 0 0 0 0 1 2 b.png\n\n"
    )
    binary.mkdir()
    (binary / "cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 1, 1, 64, 48, 60, 61, 32, 24))
    (binary / "images.bin").write_bytes(
        struct.pack("<Qi4d3di", 1, 1, 1, 0, 0, 0, 0.5, 0, 4, 1)
        + b"a.png\0"
        + struct.pack("<Q2dq", 1, 2, 3, 4)
    )


def frames(folder: Path) -> None:
    frame = {
        "sequence_name": "s",
        "image": {"path": "a.jpg", "size": [48, 64]},
        "mask": {"path": "a.png"},
        "viewpoint": {
            "R": np.eye(3).tolist(),
            "T": [0, 0, 4],
            "focal_length": [2, 2.5],
            "principal_point": [0, 0.1],
            "intrinsics_format": "ndc_isotropic",
        },
    }
    content = json.dumps([frame, frame | {"sequence_name": "t"}])
    (folder / "frames.json").write_text(content)
    (folder / "frames.jgz").write_bytes(gzip.compress(content.encode(), mtime=0))


def meshes(folder: Path) -> None:
    box = trimesh.creation.box()
    for ending in (".ply", ".obj", ".stl", ".off", ".glb"):
        box.export(folder / f"box{ending}")
    (folder / "cloud.xyz").write_text("1 2 3\n4 5 6\n")
    (folder / "cloud.csv").write_text("1,2,3\n4,5,6\n")
    np.save(folder / "cloud.npy", np.arange(12.0).reshape(4, 3))


def masks(folder: Path) -> None:
    Image.fromarray(IMAGE).save(folder / "mask.png")
    Image.fromarray(RANDOM.integers(0, 256, (6, 5, 4), np.uint8)).save(folder / "alpha.png")
    Image.fromarray(IMAGE).save(folder / "mask.webp")
    np.save(folder / "mask.npy", IMAGE / 255)


def poses(folder: Path) -> None:
    (folder / "pose.json").write_text(json.dumps({"pose": np.eye(4).tolist()}))
    np.save(folder / "pose.npy", np.eye(4))


def views(folder: Path) -> None:
    (folder / "masks").mkdir()
    for name in "ab":
        Image.fromarray(IMAGE).save(folder / "masks" / f"{name}.png")
    np.savez(folder / "masks" / "cameras.npz", intrinsics=[5.0, 5, 2, 2.5], poses=np.stack([np.eye(4)] * 2))


def simplices(folder: Path) -> None:
    grid = [[0.0, 0], [1, 0], [0, 1], [1, 1]]
    mesh = meshio.Mesh(np.column_stack([grid, np.zeros(4)]), [("triangle", np.array([[0, 1, 2], [1, 3, 2]]))])
    mesh.write(folder / "square.msh", file_format="gmsh", binary=False)
    mesh.write(folder / "binary.msh", file_format="gmsh", binary=True)
    mesh.write(folder / "square.vtk", binary=True)
    mesh.write(folder / "square.vtu")
    mesh.write(folder / "square.inp")


def patches(folder: Path) -> None:
    with h5py.File(folder / "splines.hdf5", "w") as file:
        file["points"] = RANDOM.random((2, 5, 3), np.float32)
        file["controlpoints"] = RANDOM.random((2, 4, 4, 3), np.float32)


def checkpoints(folder: Path) -> None:
    state = {"records": [{"loss": 1.0}], "best": None, "model": {"weight": torch.arange(3.0)}}
    _checkpoint.save(folder / "segmentation", {"settings": "s"}, state)
    splinenet._save(folder / "splinenet", {"identity": "s", "records": [(1, 2.0, 3.0)], **state})
    segmentation.save(
        folder / "model.pt",
        {
            "network": "unet",
            "depth": 1,
            "filters": 1,
            "degree": 1,
            "channels": 1,
            "size": [4, 4],
            "window": None,
        },
        torch.nn.Sequential(UNet(1, 1, in_channels=1), torch.nn.Identity()),
    )
    silhouette._save(folder / "fit.npz", "s", fitting())


def fitting() -> silhouette._State:
    """The least that stands for a fit."""
    leaves = (jnp.arange(3.0), jnp.zeros(2), jnp.asarray(1))
    return silhouette._State(*leaves, [1.0], [0.1])  # pyright: ignore[reportArgumentType]


def results(folder: Path) -> None:
    identity = Identity(
        experiment="toy.walk", preset="smoke", settings={"epochs": 4, "sizes": [1, 2]}, seeds=1, device="cpu",
        data={"a.png": "0" * 64}, packages={"numpy": "2.0"},
    )  # fmt: skip
    machine = Environment(
        python="3.11.9", platform="Linux", cpu="c", cores=2, memory=None, gpu=None, threads={}, backends={},
        packages={"numpy": "2.0"}, commit=None, modified=None,
    )  # fmt: skip
    picture = Picture(
        "walk", "A walk.", 300, 200, "seed-0/pictures/w.light.png", "seed-0/pictures/w.dark.png"
    )
    paper = Paper(key="toy", authors="Euler", title="On curves", venue="Basel 1744")
    seed = Seed(seed=0, started="t", finished="t", seconds=1.5, resumed=False, values={"x": 1.0})
    figure = Measured(
        key="x", label="x", unit="m", values=(1.0,), mean=1.0, deviation=None, n=1,
        paper=Published(value=1.0, deviation=0.5, source="Table 1"), comparable=True, cause="",
    )  # fmt: skip
    run = folder / "toy.walk" / "run"
    (run / "seed-0" / "pictures").mkdir(parents=True)
    for scheme in ("light", "dark"):
        Image.fromarray(IMAGE).save(run / "seed-0" / "pictures" / f"w.{scheme}.png")
    atomic.write_json(run / "seed-0" / "pictures" / "index.json", [asdict(picture)])
    atomic.write_json(run / "seed-0" / runner.OUTCOME, asdict(seed))
    marker = store.Marker(sha256=identity.sha256, started="t", identity=identity)
    atomic.write_json(run / store.NAME, asdict(marker))
    result.write(
        run,
        Result(
            schema=1, title="t", about="a", paper=paper, figures=(figure,), pictures=(picture,),
            identity=identity, sha256=identity.sha256, changed=(), environment=machine, seeds=(seed,),
            started="t", finished="t",
        ),
    )  # fmt: skip


def archives(folder: Path) -> None:
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("images/a.png", "images/b.png"):
            archive.writestr(zipfile.ZipInfo(name), b"a" * 100)


def sets(folder: Path) -> None:
    """What `--data` names, in the layouts that the apps know."""
    for name in ("horses", "cells", "chd68", "livecell", "crops", "published"):
        (folder / name).mkdir()
    color = RANDOM.integers(0, 256, (4, 8, 8, 3), np.uint8)
    np.savez_compressed(folder / "horses" / "weizmann_horses_128.npz", image=color, mask=color[..., 0] > 99)
    instance = (color[..., 0] > 99).astype(np.int32)
    np.savez_compressed(
        folder / "cells" / "dsb2018_nuclei_256.npz", image=color[..., 0] / np.float32(255), instance=instance
    )
    names = np.array(["1003_120", "1006_4", "1001_7", "1001_8"])
    np.savez_compressed(
        folder / "chd68" / "chd68_ct_512.npz", image=color[..., 0], label=instance, name=names
    )
    frames = [f"{kind}_Phase_{well}_1_01d04h00m_3" for kind in ("A172", "BV2") for well in ("A7", "B7")]
    kinds = np.array(["A172", "A172", "BV2", "BV2"])
    np.savez_compressed(
        folder / "livecell" / "livecell_full_520x704.npz",
        image=color[..., 0], instance=instance, cell_type=kinds, name=np.array(frames),
    )  # fmt: skip
    np.savez_compressed(
        folder / "crops" / "livecell_crops_128.npz",
        image=color[..., 0], mask=instance, cell_type=kinds, name=np.array([f"{f}@0,0" for f in frames]),
    )  # fmt: skip
    published = folder / "published"
    for part, kind, well in (("train", "A172", "A8"), ("val", "A172", "B8"), ("test", "BV2", "A8")):
        name = f"{kind}_Phase_{well}_1_01d04h00m_3.tif"
        place = published / "images" / f"livecell_{'test' if part == 'test' else 'train_val'}_images"
        place.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(place / name, color[0, :, :, 0])
        table = published / "annotations" / "LIVECell" / f"livecell_coco_{part}.json"
        table.parent.mkdir(parents=True, exist_ok=True)
        cells = [
            {"image_id": 1, "segmentation": [[1, 1, 6, 1, 6, 6]]},
            {"image_id": 1, "segmentation": {"size": [8, 8], "counts": [10, 20, 34]}},
            {"image_id": 1, "segmentation": {"size": [8, 8], "counts": ":d0R1"}},
        ]
        table.write_text(json.dumps({"images": [{"id": 1, "file_name": name}], "annotations": cells}))


def main() -> None:
    shutil.rmtree(CORPUS, ignore_errors=True)
    for make in (
        signals, splines, points, images, models, splats, cameras, frames, meshes, masks, poses, views,
        simplices, patches, checkpoints, results, archives, sets,
    ):  # fmt: skip
        folder = CORPUS / make.__name__
        folder.mkdir(parents=True)
        make(folder)
    sizes = [path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()]
    print(f"{len(sizes)} files, {sum(sizes) / 1000:.0f} kB, the largest {max(sizes) / 1000:.1f} kB")


if __name__ == "__main__":
    main()
