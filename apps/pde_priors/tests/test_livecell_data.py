from __future__ import annotations

import json

import numpy as np
import pytest
from skimage.io import imsave

from pde_priors.livecell_data import CROPS, WHOLE, load, parse

SQUARE = [[2, 2, 6, 2, 6, 6, 2, 6]]
"""A cell of 4 x 4 pixels, 2 x 2 at half the resolution."""


def write_frame(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).integers(0, 255, (8, 12), dtype=np.uint8)
    imsave(folder / name, image, check_contrast=False)


def write_coco(path, names, *, cells=SQUARE, mapping=False):
    """Two cells in every frame, the second twice, as run lengths."""
    runs = {"size": [8, 12], "counts": [80, 16]}
    images = [{"id": k, "file_name": name, "height": 8, "width": 12} for k, name in enumerate(names)]
    found = [
        {"id": 3 * k + j, "image_id": k, "segmentation": cell}
        for k in range(len(names))
        for j, cell in enumerate((cells, runs, runs))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    annotations = {str(cell["id"]): cell for cell in found} if mapping else found
    path.write_text(json.dumps({"images": images, "annotations": annotations}))


def name_of(kind, well, crop=1):
    return f"{kind}_Phase_{well}_1_00d00h00m_{crop}.tif"


@pytest.fixture
def published(tmp_path):
    """Three types: two in the common files, one in its own; with and without a folder for the type."""
    images, annotations = tmp_path / "images", tmp_path / "annotations"
    seen = images / "livecell_train_val_images"
    train = [name_of("A172", "A7"), name_of("BT474", "B3"), "BT474_Phase_B3_1_03d00h00m_3.tif"]
    validation = [name_of("A172", "B7"), name_of("BT474", "C3")]
    for name in (*train, *validation):
        write_frame(seen / name.split("_")[0] if "BT474" in name else seen, name)
    write_coco(annotations / "LIVECell/livecell_coco_train.json", train)
    write_coco(annotations / "LIVECell/livecell_coco_val.json", validation)
    test = [name_of("SKOV3", "E4", crop) for crop in (1, 2, 3)]
    for name in test:
        write_frame(images / "livecell_test_images" / "SKOV3", name)
    write_coco(annotations / "LIVECell_single_cells/skov3/test.json", test, mapping=True)
    return tmp_path


def test_published_layout(published):
    split, source = load(published, ["A172", "BT474"], "SKOV3")
    assert source == "LIVECell as published"
    assert [f.name for f in split.train] == [
        name_of("A172", "A7"),
        name_of("BT474", "B3"),
    ]  # issue 21's is out
    assert [f.name for f in split.validation] == [name_of("A172", "B7"), name_of("BT474", "C3")]
    assert [(f.kind, f.site) for f in split.test] == [("SKOV3", "E4_1")] * 3
    want = np.zeros((4, 6), bool)
    want[1:3, 1:3] = want[:, 5] = True  # the square, and the last two columns
    assert all(np.array_equal(f.mask, want) for f in (*split.train, *split.test))


def test_the_folder_above_and_the_other_names_of_files(published):
    single = published / "annotations/LIVECell_single_cells/skov3"
    (single / "test.json").rename(single / "livecell_skov3_test.json")
    above = published / "above"
    above.mkdir()
    for part in ("images", "annotations"):
        (above / "LIVECell_dataset_2021").mkdir(exist_ok=True)
        (published / part).rename(above / "LIVECell_dataset_2021" / part)
    assert len(load(above, ["A172"], "SKOV3")[0].test) == 3


def test_a_limit_takes_frames_evenly(published):
    split = load(published, ["A172", "BT474"], "SKOV3", 2)[0]
    assert [f.name for f in split.test] == [name_of("SKOV3", "E4", crop) for crop in (1, 2)]
    assert len(split.train) == len(split.validation) == 2


def test_broken_files_are_named(published):
    seen, unseen = ["A172", "BT474"], "SKOV3"
    common = published / "annotations/LIVECell/livecell_coco_train.json"
    with pytest.raises(ValueError, match=r"no annotations of BT474, test; looked for .*livecell_coco_test"):
        load(published, ["A172"], "BT474")
    with pytest.raises(ValueError, match="names no frame of the kind 'Huh7'"):
        load(published, ["Huh7"], unseen)
    write_coco(common, [name_of("A172", "A7")], cells=[[1, 2]])
    with pytest.raises(ValueError, match=r"train\.json: cell 0 of A172_Phase_A7.*three pairs"):
        load(published, ["A172"], unseen)
    write_coco(common, [name_of("A172", "A7"), name_of("A172", "A8")])
    with pytest.raises(ValueError, match=r"names A172_Phase_A8_1_00d00h00m_1\.tif, which is neither in"):
        load(published, ["A172"], unseen)
    (published / "images/livecell_train_val_images" / name_of("A172", "A8")).write_bytes(b"II*\0")
    with pytest.raises(ValueError, match=r"A172_Phase_A8.*\.tif cannot be read"):
        load(published, ["A172"], unseen)
    common.write_text('{"images": []}')
    with pytest.raises(ValueError, match=r"is no COCO file \(KeyError: 'annotations'"):
        load(published, seen, unseen)


def arrays(count, size, names, kinds):
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 255, (count, size, size), dtype=np.uint8),
        "cell_type": np.array(kinds),
        "name": np.array(names),
    }


def test_whole_frames(tmp_path):
    names = [name_of("A172", "A7"), name_of("A172", "A8"), name_of("SKOV3", "E4")]
    instance = np.zeros((3, 8, 8), np.uint16)
    instance[:, :4, :4] = 300
    found = arrays(3, 8, names, ["A172", "A172", "SKOV3"])
    np.savez(tmp_path / WHOLE, **found, instance=instance)
    split, source = load(tmp_path, ["A172"], "SKOV3")
    assert source == f"LIVECell, {WHOLE}"
    assert [len(part) for part in (split.train, split.validation, split.test)] == [1, 1, 1]
    assert split.test[0].mask.sum() == 4


def test_crops_are_put_back_together(tmp_path):
    corners = [(130, 48), (2, 176), (2, 48), (130, 176)]
    names = [f"{n}@{i},{j}" for n in (name_of("A172", "A7"), name_of("A172", "A8")) for i, j in corners]
    names += [f"{name_of('SKOV3', 'E4')}@{i},{j}" for i, j in corners]
    mask = np.zeros((12, 4, 4), np.uint8)
    mask[2::4] = 1  # the upper left crop of every frame
    found = arrays(12, 4, names, ["A172"] * 8 + ["SKOV3"] * 4)
    np.savez(tmp_path / CROPS, **found, mask=mask)
    split, source = load(tmp_path, ["A172"], "SKOV3")
    assert source == f"LIVECell, {CROPS}"
    assert split.test[0].mask.shape == (8, 8)
    assert np.argwhere(split.test[0].mask).max() == 3
    image = np.block([[found["image"][10], found["image"][9]], [found["image"][8], found["image"][11]]])
    assert np.array_equal(split.test[0].image, ((image - image.mean()) / image.std()).astype(np.float32))

    np.savez(tmp_path / CROPS, **{key: value[:-1] for key, value in (found | {"mask": mask}).items()})
    with pytest.raises(ValueError, match=r"the 3 crops of SKOV3_Phase_E4_1_00d00h00m_1\.tif do not make up"):
        load(tmp_path, ["A172"], "SKOV3")


def test_a_folder_with_nothing_of_it(tmp_path):
    with pytest.raises(ValueError, match=r"holds no LIVECell\. Looked for images/livecell_train_val_images"):
        load(tmp_path, ["A172"], "SKOV3")


def test_names_that_are_not_livecells(tmp_path):
    found = arrays(1, 8, ["cell.tif"], ["A172"])
    np.savez(tmp_path / WHOLE, **found, instance=np.zeros((1, 8, 8), np.uint16))
    with pytest.raises(ValueError, match=r"cell\.tif does not follow LIVECell's <Type>_Phase_"):
        load(tmp_path, ["A172"], "SKOV3")


def test_directions():
    assert parse("A172+BT474>SKOV3") == (["A172", "BT474"], "SKOV3")
    for wrong in ("A172", "A172>", ">A172", "A172+>B", "A>B>C"):
        with pytest.raises(
            ValueError, match=r"must name the seen kinds and the unseen one: A172\+BT474>SKOV3"
        ):
            parse(wrong)
    with pytest.raises(ValueError, match="SKOV3 is seen; name another"):
        parse("A172+SKOV3>SKOV3")
