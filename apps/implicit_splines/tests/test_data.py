"""The data: both layouts, written here in miniature, broken ones too; what is scored is not trained on."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from implicit_splines import _chd68, _coins
from implicit_splines._volumes import SEPARATE, TEST, VALIDATION
from repro import photographs


def write_volume(folder, number, shape=(6, 5, 4), *, label=True):
    """Columns, rows, slices, as the published files; slice k has the label k + 4 in one place."""
    image = np.full(shape, number, np.int16)
    image[0] = -1000
    masks = np.zeros(shape, np.uint8)
    for k in range(shape[2]):
        masks[1, 2, k] = k + 4
    for kind, array in (("image", image), ("label", masks))[: 1 + label]:
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / f"ct_1{number:03d}_{kind}.nii.gz")


def write_slices(folder, names):
    labels = np.zeros((len(names), 8, 8), np.uint8)
    labels[:, 2:4, 2:4], labels[:, 5, 5] = 5, 6
    images = np.arange(len(names), dtype=np.uint8)[:, None, None] * np.ones((8, 8), np.uint8)
    np.savez(folder / _chd68.NPZ, image=images, label=labels, name=np.array(names))


def test_the_paper_splits_66_of_68_volumes():
    train = set(range(1, 69)) - set(VALIDATION) - set(TEST) - set(SEPARATE)
    assert (len(train), len(VALIDATION), len(TEST)) == (39, 13, 14)
    assert not set(VALIDATION) & set(TEST)


def test_whole_volumes(tmp_path):
    for number in (1, 2, 3, 4, 43):
        write_volume(tmp_path, number)
    volumes = _chd68.load(tmp_path, "blood volume")
    parts = [[v.name for v in part] for part in (volumes.train, volumes.validation, volumes.test)]
    assert parts == [["01", "04"], ["03"], ["02"]]  # volume 43 is left out, as in the paper
    assert volumes.is_complete
    assert "whole volumes" in str(volumes)
    assert "train 01 04 (8 slices)" in str(volumes)
    (test,) = volumes.test
    assert test.images.shape == test.masks.shape == (4, 5, 6)  # slices, rows, columns
    assert test.positions == (0, 1, 2, 3)
    assert np.argwhere(test.masks).tolist() == [[0, 2, 1], [2, 2, 1], [3, 2, 1]]  # labels 4, 6, 7
    assert (test.images[:, :, 0] == 0).all()
    assert (test.images[:, :, 1:] == 255).all()
    (test,) = _chd68.load(tmp_path, "myocardium").test
    assert np.argwhere(test.masks).tolist() == [[1, 2, 1]]


def test_labels_above_seven_are_none_of_the_heart(tmp_path):
    for number in (1, 2, 3):
        write_volume(tmp_path, number, (6, 5, 6))  # labels 4 to 9
    assert _chd68.load(tmp_path, "blood volume").test[0].masks.sum() == 3


def test_slices_of_seven_volumes(tmp_path):
    write_slices(tmp_path, ["1003_120", "1003_35", "1001_7", "1006_9", "1002_1"])
    volumes = _chd68.load(tmp_path, "blood volume")
    assert [v.name for v in volumes.train] == ["01", "02"]
    assert [v.name for v in volumes.test] == ["03", "06"]
    assert volumes.validation == volumes.test
    assert not volumes.is_complete
    assert volumes.test[0].positions == (35, 120)  # ordered by number
    assert volumes.test[0].images[:, 0, 0].tolist() == [1, 0]
    assert [int(v.masks.sum()) for v in volumes.test] == [2, 1]
    assert _chd68.load(tmp_path, "myocardium").test[0].masks.sum() == 8


def test_broken_folders_are_told(tmp_path):
    with pytest.raises(ValueError, match=r"neither ct_1001_image.nii.gz .* nor chd68_ct_512.npz"):
        _chd68.load(tmp_path, "blood volume")
    write_slices(tmp_path, ["1001_7", "1003_9"])
    with pytest.raises(ValueError, match="no slice of volume 6, which are scored on"):
        _chd68.load(tmp_path, "blood volume")
    write_slices(tmp_path, ["1006_7", "1003_9"])
    with pytest.raises(ValueError, match="no slice of another volume than 3, 6 to train on"):
        _chd68.load(tmp_path, "blood volume")
    write_slices(tmp_path, ["1006_7", "heart"])
    with pytest.raises(ValueError, match=r"name\[1\] is 'heart'; 1003_120 is volume 3, slice 120"):
        _chd68.load(tmp_path, "blood volume")
    np.savez(tmp_path / _chd68.NPZ, image=np.zeros((1, 8, 8)))
    with pytest.raises(ValueError, match="has no array label, name"):
        _chd68.load(tmp_path, "blood volume")
    write_volume(tmp_path, 2)
    with pytest.raises(ValueError, match="no volume of the paper's train part"):
        _chd68.load(tmp_path, "blood volume")
    write_volume(tmp_path, 7, label=False)
    with pytest.raises(ValueError, match=r"has no labels: ct_1007_label.nii.gz is missing beside it"):
        _chd68.load(tmp_path, "blood volume")
    write_volume(tmp_path, 7)
    nibabel.save(
        nibabel.Nifti1Image(np.zeros((6, 5, 3), np.uint8), np.eye(4)), tmp_path / "ct_1007_label.nii.gz"
    )
    with pytest.raises(ValueError, match=r"has the shape \(4, 5, 6\), ct_1007_label.nii.gz has \(3, 5, 6\)"):
        _chd68.load(tmp_path, "blood volume")
    (tmp_path / "ct_1007_image.nii.gz").write_bytes(b"no volume")
    with pytest.raises(ValueError, match=r"ct_1007_image.nii.gz: cannot be read"):
        _chd68.load(tmp_path, "blood volume")


def test_regions_of_the_photograph_share_no_pixel_and_cut_no_coin():
    mask = photographs.bright_objects(photographs.load(_coins.PHOTOGRAPH))
    tops = [*_coins.ROWS, mask.shape[0]]
    assert min(np.diff(tops)) >= _coins.SIDE
    for top, middle in _coins.ROWS.items():
        assert not mask[top].any()
        assert not mask[top + _coins.SIDE - 1].any()
        assert not mask[top : top + _coins.SIDE, middle - 1 : middle + 1].any()
    volumes = _coins.load()
    assert [len(part) for part in (volumes.train, volumes.validation, volumes.test)] == [4, 2, 2]
    assert all(v.images.shape == (5, 75, 75) and v.masks.any() for v in volumes.train + volumes.test)
