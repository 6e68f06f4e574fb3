from __future__ import annotations

import numpy as np
import pytest

from pde_priors._coco import mask_of


def drawn() -> np.ndarray:
    mask = np.zeros((40, 30), bool)
    mask[5:30, 3:9] = True
    mask[10:38, 12:28] = True
    mask[20:25, 14:20] = False
    return mask


def test_polygons_hold_the_centres_of_pixels():
    """A rectangle along the lines between pixels is exact; two of them are joined."""
    mask = mask_of([[1, 2, 4, 2, 4, 5, 1, 5], [6.0, 0.0, 8.0, 0.0, 8.0, 1.0, 6.0, 1.0]], (6, 9))
    want = np.zeros((6, 9), bool)
    want[2:5, 1:4] = want[0, 6:8] = True
    assert np.array_equal(mask, want)


def test_the_area_of_a_polygon():
    x = np.cos(np.linspace(0, 2 * np.pi, 60, endpoint=False))
    y = np.sin(np.linspace(0, 2 * np.pi, 60, endpoint=False))
    corners = np.stack([150 + 100 * x, 140 + 90 * y], axis=1).ravel().tolist()
    area = 60 / 2 * np.sin(2 * np.pi / 60) * 100 * 90
    # the error of counting centres is about the square root of the pixels on the boundary
    assert mask_of([corners], (300, 300)).sum() == pytest.approx(area, abs=np.sqrt(2 * np.pi * 95))


def test_what_reaches_over_the_border_is_cut():
    assert mask_of([[-5, -5, 20, -5, 20, 20, -5, 20]], (4, 6)).all()


def test_run_lengths_go_down_the_columns():
    mask = mask_of({"size": [3, 4], "counts": [4, 2, 6]}, (3, 4))
    assert np.argwhere(mask).tolist() == [[1, 1], [2, 1]]


def test_packed_run_lengths():
    """The strings are those that pycocotools 2.0 writes for these masks."""
    counts = "m3i0?000000000m33PL00^OI37MI37MI37MI37MI37MI37?00000000000000V2"
    assert np.array_equal(mask_of({"size": [40, 30], "counts": counts}, (40, 30)), drawn())
    long = np.zeros((200, 300), bool)
    long[:, :120] = True
    long[50:52, 40] = False
    long[0, 299] = True
    assert np.array_equal(mask_of({"size": [200, 300], "counts": "0bk72jf7fnR1e]@_WmN"}, (200, 300)), long)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "must be polygons or run lengths; got NoneType"),
        ([[1, 2, 3, 4]], "three pairs of finite numbers; got 4 numbers"),
        ([[1, 2, 3, 4, 5, float("nan")]], "finite numbers"),
        ({"size": [3, 4]}, "need `size` and `counts`; there are size"),
        ({"size": [4, 3], "counts": [12]}, r"`size` is \[4, 3\], the image's \(3, 4\)"),
        ({"size": [3, 4], "counts": [4, 2]}, "add up to 6, the image has 12"),
        ({"size": [3, 4], "counts": "4 2"}, "hold the character ' '"),
        ({"size": [3, 4], "counts": "P"}, "end in the middle of a number"),
    ],
)
def test_what_is_no_segmentation(segmentation, message):
    with pytest.raises(ValueError, match=message):
        mask_of(segmentation, (3, 4))
