"""The command `implicit-seg`, as it is called."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import time

import imageio.v3 as imageio
import nibabel
import nrrd
import numpy as np
import onnxruntime
import pytest
import torch

from implicit_seg import __main__, files
from implicit_seg._command.folder import read_pairs
from implicit_seg._command.main import main


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Six bright discs on a dark ground, in folders `images` and `masks` of the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    row, column = np.mgrid[:24, :24]
    rng = np.random.default_rng(0)
    for k in range(6):
        disc = np.hypot(row - 8 - k, column - 14 + k) < 6
        image = np.clip(60 + 120 * disc + rng.normal(0, 10, disc.shape), 0, 255)
        imageio.imwrite(tmp_path / "images" / f"{k}.png", image.astype(np.uint8))
        imageio.imwrite(tmp_path / "masks" / f"{k}.png", disc.astype(np.uint8) * np.uint8(255))
    return tmp_path


TRAIN = ["train", "--images", "images", "--masks", "masks", "--depth", "1", "--bottleneck", "6"]
TRAIN += ["--filters", "4", "--batch-size", "2", "--learning-rate", "0.01", "--device", "cpu"]


def train(out, *more):
    return main([*TRAIN, "--out", out, *more])


def test_from_images_to_scores(data, capsys):
    assert train("run", "--epochs", "15", "--degree", "2", "--patience", "15") == 0
    assert "5 images to train on, 1 to validate; 24 x 24; unet-implicit" in capsys.readouterr().out
    assert sorted(p.name for p in (data / "run").iterdir()) == [
        "checkpoint",
        "curves.png",
        "history.csv",
        "model.pt",
        "settings.json",
    ]
    history = list(csv.DictReader((data / "run" / "history.csv").open()))
    assert [row["epoch"] for row in history] == [str(k) for k in range(1, 16)]
    assert float(history[-1]["validation_dice"]) > 0.8
    assert main(["predict", "run", "--images", "images", "--out", "found", "--min-area", "5"]) == 0
    collection = json.loads((data / "found" / "contours" / "0.geojson").read_text())
    mask = imageio.imread(data / "found" / "masks" / "0.png")
    assert mask.shape == (24, 24)
    area = sum(feature["properties"]["area"] for feature in collection["features"])
    assert area == pytest.approx((mask > 0).sum(), rel=0.2)
    assert (data / "found" / "pictures" / "0.png").stat().st_size > 5000
    assert main(["evaluate", "found/masks", "masks", "--out", "scores"]) == 0
    scores = json.loads((data / "scores.json").read_text())
    assert scores["total"]["mean"]["dice"] > 0.8
    assert len(list(csv.DictReader((data / "scores.csv").open()))) == scores["total"]["images"] == 6
    assert main(["export", "run", "model.pt2"]) == 0
    program = torch.export.load(str(data / "model.pt2")).module()
    assert program(torch.zeros(5, 1, 24, 24)).shape == (5, 1, 24, 24)
    assert main(["export", "run", "model.onnx"]) == 0
    session = onnxruntime.InferenceSession(data / "model.onnx")
    (values,) = session.run(None, {"images": np.zeros((5, 1, 24, 24), np.float32)})
    torch.testing.assert_close(torch.from_numpy(values), program(torch.zeros(5, 1, 24, 24)))


def wait_for(path, child):
    while not path.exists():
        assert os.waitpid(child.process, os.WNOHANG) == (0, 0), child.output.read_text()
        time.sleep(0.005)


def test_killed_and_resumed_equals_unbroken(data, fork):
    """Killed by SIGKILL in the middle, then the same line: the same bits in the model's file."""
    line = ["--epochs", "6", "--augment", "full"]
    assert train("whole", *line) == 0
    child = fork(lambda: train("broken", *line))
    wait_for(data / "broken" / "checkpoint", child)
    os.kill(child.process, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (data / "broken" / "model.pt").exists()
    assert train("broken", "--epochs", "6", "--augment", "full") == 0
    whole, broken = (
        torch.load(data / name / "model.pt", weights_only=True)["state"] for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    history = [(data / name / "history.csv").read_text() for name in ("whole", "broken")]
    assert history[0] == history[1]


def test_interrupted_it_stops_at_once_and_says_how_to_go_on(data, fork, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["implicit-seg", *TRAIN, "--out", "run", "--epochs", "100000"])
    child = fork(__main__.main)
    wait_for(data / "run" / "checkpoint", child)
    start = time.perf_counter()
    os.kill(child.process, signal.SIGINT)
    assert child.wait() == 130, child.output.read_text()
    assert time.perf_counter() - start < 2  # 0.02 s on an idle machine
    said = child.output.read_text()
    assert "Give the same line again to go on after the last finished epoch" in said
    assert sorted(path.name for path in (data / "run").iterdir()) == ["checkpoint", "settings.json"]


def test_every_bad_pair_is_named_before_anything_starts(data, capsys):
    (data / "images" / "1.png").write_bytes((data / "images" / "1.png").read_bytes()[:90])
    (data / "masks" / "2.png").unlink()
    (data / "images" / "3.png").unlink()
    imageio.imwrite(data / "masks" / "4.png", np.zeros((20, 24), np.uint8))
    np.save(data / "images" / "6.npy", np.full((24, 24), np.nan))
    np.save(data / "masks" / "6.npy", np.zeros((24, 24)))
    assert train("run") == 2
    said = capsys.readouterr().err
    assert "5 faults in 7 pairs; nothing was started. Repair or remove them" in said
    for words in (
        "images/1.png: cannot be read",
        "images/2.png: has no mask 2.* in masks",
        "masks/3.png: has no image 3.* in images",
        "images/4.png: is 24 x 24, its mask 4.png 20 x 24",
        "images/6.npy: holds values that are infinite or not a number",
    ):
        assert words in said
    assert not (data / "run").exists()


def test_sizes_and_channels_that_differ(data, capsys):
    imageio.imwrite(data / "images" / "0.png", np.zeros((20, 24), np.uint8))
    imageio.imwrite(data / "masks" / "0.png", np.zeros((20, 24), np.uint8))
    assert train("run") == 2
    assert "images/0.png: has (rows, columns, channels) (20, 24, 1), most have (24, 24, 1). Give --size" in (
        capsys.readouterr().err
    )
    assert train("run", "--epochs", "1", "--size", "16", "16") == 0


def test_other_data_are_another_run(data, capsys):
    assert train("run", "--epochs", "1") == 0
    imageio.imwrite(data / "masks" / "0.png", np.zeros((24, 24), np.uint8))
    assert train("run", "--epochs", "1") == 2
    assert "--out run: holds another run; what differs is its data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["train", "--images", "none", "--masks", "masks", "--out", "a"],
            "none: there is no such file or folder",
        ),
        ([*TRAIN, "--out", "none/a"], "--out none/a: there is no folder none"),
        ([*TRAIN, "--out", "a", "--degree", "0"], "--degree must be 1, 2 or 3; got 0"),
        ([*TRAIN, "--out", "a", "--validation", "1"], "--validation must lie between 0 and 1; got 1.0"),
        (
            [*TRAIN, "--out", "a", "--validation", "0", "--patience", "3"],
            "--patience needs images to validate",
        ),
        ([*TRAIN, "--out", "a", "--window", "3", "3"], "--window must be two rising numbers"),
        ([*TRAIN, "--out", "a", "--epochs", "0"], "`epochs` must be at least 1; got 0"),
        (["predict", "none", "--images", "images", "--out", "a"], "none: there is no such file"),
        (["predict", "images/0.png", "--images", "images", "--out", "a"], "is damaged, or no model"),
        (["evaluate", "images", "masks", "--out", "none/a"], "there is no folder none"),
        (["export", "images/0.png", "a.pt"], "a.pt: the name must end in one of .pt2, .onnx"),
    ],
)
def test_what_cannot_be_done_is_refused(words, message, data, capsys):
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not (data / "a").exists()


def test_formats(tmp_path):
    """Every format gives back what was written; volumes slice by slice."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 255, (6, 8), dtype=np.uint8)
    for name in ("a.png", "a.tif", "a.bmp"):
        imageio.imwrite(tmp_path / name, grey)
        assert (files.read_image(tmp_path / name) == grey[None, ..., None]).all()
    np.savez(tmp_path / "a.npz", image=grey, other=grey)
    np.save(tmp_path / "a.npy", np.stack([grey] * 3, -1))
    assert (files.read_image(tmp_path / "a.npz") == grey[None, ..., None]).all()
    assert files.read_image(tmp_path / "a.npy").shape == (1, 6, 8, 3)
    volume = rng.integers(0, 2, (5, 6, 8), dtype=np.uint8)
    for name in ("v.nii.gz", "v.nrrd", "v.tif", "v.npz"):
        files.write_mask(tmp_path / name, volume > 0, spacing=(3.0, 1.0, 0.5))
        assert ((files.read_image(tmp_path / name)[..., 0] > 0) == volume).all()
    assert nibabel.load(tmp_path / "v.nii.gz").header.get_zooms() == (0.5, 1.0, 3.0)
    header = nrrd.read_header(str(tmp_path / "v.nrrd"))
    assert header["sizes"].tolist() == [8, 6, 5]
    assert np.diag(header["space directions"]).tolist() == [0.5, 1.0, 3.0]
    files.write_mask(tmp_path / "a.nrrd", grey > 100, spacing=(2.0, 0.5))
    assert (files.read_image(tmp_path / "a.nrrd")[0, ..., 0] == (grey > 100)).all()
    nrrd.write(str(tmp_path / "w.nrrd"), np.zeros((2, 2, 2, 2)))
    with pytest.raises(
        ValueError, match=r"w.nrrd: two or three dimensions are expected; got the shape \(2, 2,"
    ):
        files.read_image(tmp_path / "w.nrrd")
    with pytest.raises(ValueError, match=r"cannot be written so; 2-D, or 3-D and not .png"):
        files.write_mask(tmp_path / "v.png", volume > 0)
    np.savez(tmp_path / "b.npz", x=grey, y=grey)
    with pytest.raises(ValueError, match=r"b.npz: holds x, y; one array"):
        files.read_image(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="the name must end in one of"):
        files.read_image(tmp_path / "b.xyz")


def test_pages_of_a_tiff_that_come_back_to_the_first(tmp_path):
    path = tmp_path / "a.tif"
    files.write_mask(path, np.ones((4, 4), dtype=bool))
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")  # where the next page is named
    assert data[:4] == b"II*\0"
    assert not any(data[end : end + 4])
    data[end : end + 4] = first.to_bytes(4, "little")
    path.write_bytes(data)
    assert (files.read_image(path)[0, ..., 0] > 0).all()  # in finite time


def test_dicom(tmp_path):
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.Rows, data.Columns, data.SamplesPerPixel = 4, 5, 1
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation, data.PhotometricInterpretation = 15, 0, "MONOCHROME2"
    pixels = np.arange(20, dtype=np.uint16).reshape(4, 5)
    data.PixelData, data.RescaleSlope, data.RescaleIntercept = pixels.tobytes(), "2", "-1024"
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=["a"])
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert (files.read_image(tmp_path / "a.dcm")[0, ..., 0] == 2 * pixels.astype(float) - 1024).all()


def test_labels_choose_what_is_inside(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", np.arange(4, dtype=np.uint8).reshape(2, 2))
    arguments = tmp_path / "images", tmp_path / "masks"
    (pair,) = read_pairs(*arguments, (1, 3), size=None, uniform=True)
    assert pair.mask.tolist() == [[[False, True], [False, True]]]
    (pair,) = read_pairs(*arguments, (), size=None, uniform=True)
    assert pair.mask.sum() == 3


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "a folder of images and masks" in capsys.readouterr().out


def test_without_the_extra_it_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert __main__.main() == 2
    assert 'pip install "implicit-seg[cli]"' in capsys.readouterr().err
