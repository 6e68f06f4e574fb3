"""The data sets that this app's experiments read with `--data`; `repro data` lists and fetches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro.dataset import Dataset, File, require

if TYPE_CHECKING:
    from pathlib import Path

    from dsa._image_set import ImageSet

_BROAD = "https://data.broadinstitute.org/bbbc"


def _read_cells(folder: Path) -> str:
    from dsa import _cells

    return _told(_cells.load(folder, size=8))


def _read_horses(folder: Path) -> str:
    from dsa import _horses

    return _told(_horses.load(folder, size=8))


def _told(images: ImageSet | None) -> str:
    assert images is not None  # the layout has been looked at
    return f"All {len(images.images)} images can be read, with their masks."


def _read_patches(folder: Path) -> str:
    from dsa.table4 import FILE
    from nurbs_diff.splinenet import read_parsenet

    parts = [read_parsenet(folder / FILE, split) for split in ("train", "validation", "test")]
    return f"All {sum(len(part.clouds) for part in parts)} patches can be read."


BBBC038 = Dataset(
    name="bbbc038",
    title="nuclei of the Data Science Bowl 2018: 670 images, a mask per nucleus",
    licence="CC0 1.0",
    citation="Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, "
    "Nature Methods 16, 2019; Broad Bioimage Benchmark Collection, BBBC038v1",
    home="https://bbbc.broadinstitute.org/BBBC038",
    by_hand=f"download {_BROAD}/BBBC038/stage1_train.zip (83 MB) and unpack it into the folder stage1_train.",
    layout="stage1_train/NAME/images/NAME.png with stage1_train/NAME/masks/*.png",
    check=lambda folder: require(folder, {"stage1_train/*/images/*.png": 1, "stage1_train/*/masks/*.png": 1}),
    read=_read_cells,
    experiments=("dsa.table2",),
)

BBBC039 = Dataset(
    name="bbbc039",
    title="nuclei of U2OS cells: 200 fields of 520 x 696 pixels, with masks",
    licence="CC0 1.0",
    citation="Caicedo et al., Evaluation of deep learning strategies for nucleus segmentation in "
    "fluorescence images, Cytometry A 95, 2019; Broad Bioimage Benchmark Collection, BBBC039v1",
    home="https://bbbc.broadinstitute.org/BBBC039",
    files=(
        File(
            name="images.zip",
            urls=(f"{_BROAD}/BBBC039/images.zip",),
            checksum="sha256:6f30a5d4fe38c928ded972704f085975f8dc0d65d9aa366df00e5a9d449fddd7",
            size=77_915_748,
        ),
        File(
            name="masks.zip",
            urls=(f"{_BROAD}/BBBC039/masks.zip",),
            checksum="sha256:f9e6043d8ca56344a4886f96a700d804d6ee982f31e2b2cd3194af2a053c2710",
            size=2_753_811,
        ),
        File(
            name="metadata.zip",
            urls=(f"{_BROAD}/BBBC039/metadata.zip",),
            checksum="sha256:a2c1f900bed9ba92a99553efd4c2ae98598433691c7401d818653ab61110deb2",
            size=17_816,
        ),
    ),
    layout="images/NAME.tif with masks/NAME.png; metadata/*.txt has the published split",
    check=lambda folder: require(folder, {"images/*.tif": 200, "masks/*.png": 200}),
    read=_read_cells,
    experiments=("dsa.table2",),
)

HORSES = Dataset(
    name="weizmann-horses",
    title="328 photographs of horses from the side, cut out by hand",
    licence="none stated: take it as for research, not to be passed on",
    citation="Borenstein and Ullman, Learning to segment, ECCV 2004",
    home="https://www.msri.org/people/members/eranb/",
    by_hand="the authors' page, which has held weizmann_horse_db.tar.gz, is not always there; copies are in "
    "circulation. Unpack it so that the folder weizmann_horse_db lies in the set's.",
    layout="weizmann_horse_db/rgb/horseNNN.jpg with weizmann_horse_db/figure_ground/horseNNN.jpg",
    check=lambda folder: require(
        folder, {"weizmann_horse_db/rgb/*.jpg": 1, "weizmann_horse_db/figure_ground/*.jpg": 1}
    ),
    read=_read_horses,
    experiments=("dsa.table2",),
)

PARSENET = Dataset(
    name="parsenet-splines",
    title="patches of open B-spline surfaces, as points and control points",
    licence="none stated; cut from ABC, whose models keep their designers' terms",
    citation="Sharma et al., ParSeNet: a parametric surface fitting network for 3D point clouds, ECCV 2020",
    home="https://github.com/Hippogriff/parsenet-codebase",
    by_hand="follow the page's section on data; of it only open_splines.h5 is needed.",
    layout="open_splines.h5",
    check=lambda folder: require(folder, {"open_splines.h5": 1}),
    read=_read_patches,
    experiments=("dsa.table4",),
)
