from __future__ import annotations

import numpy as np
import pytest

from metaballs.generated import NAMES, generate
from metaballs.models import TEN, load
from metaballs.noise import stereo_depth, under_segment

TETRAHEDRON = "OFF\n4 4 0\n1 1 1\n-1 -1 1\n-1 1 -1\n1 -1 -1\n3 0 1 2\n3 0 3 1\n3 0 2 3\n3 1 3 2\n"


@pytest.mark.parametrize("name", NAMES)
def test_generated_meshes_are_closed_and_turned_outwards(name):
    vertices, faces = generate(name, 32)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {tuple(edge) for edge in edges}
    assert len(directed) == len(edges)
    assert directed == {edge[::-1] for edge in directed}
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    assert (a * np.cross(b, c)).sum() / 6 > 0.3
    assert np.abs(vertices).max() < 1.2  # nothing is cut off by the grid


def test_generated_genus():
    """Euler's formula: 2 - 2 * holes."""
    for name, characteristic in (
        ("torus", 0),
        ("gear", 0),
        ("superquadric", 2),
        ("letter_k", 2),
        ("knot", 0),
    ):
        vertices, faces = generate(name, 48)
        assert len(vertices) - 3 * len(faces) // 2 + len(faces) == characteristic, name


def test_an_unknown_mesh_is_named():
    with pytest.raises(ValueError, match="no generated mesh 'cow'; there are rabbit, gear"):
        generate("cow", 32)


def test_models_of_a_folder(tmp_path):
    for name in ("zebra", "gear", "bunny"):
        (tmp_path / f"{name}.off").write_text(TETRAHEDRON)
    (tmp_path / "notes.txt").write_text("no mesh")
    models = load(tmp_path, 5, resolution=32, wanted=TEN)
    assert [model.name for model in models] == ["bunny", "gear"]  # those wanted, in their order, and no other
    assert [model.name for model in load(tmp_path, 2, resolution=32, wanted=("yoga1",))] == ["bunny", "gear"]
    vertices = models[0].vertices
    assert np.linalg.norm(vertices, axis=1).max() == pytest.approx(1)
    np.testing.assert_allclose(vertices.max(0), -vertices.min(0))
    assert models[0].extent == pytest.approx(2 / np.sqrt(3))


def test_a_folder_without_a_mesh(tmp_path):
    with pytest.raises(ValueError, match="has no mesh"):
        load(tmp_path, 1, resolution=32)
    (tmp_path / "empty.ply").write_text("")
    with pytest.raises(ValueError, match=r"empty\.ply holds no triangle mesh"):
        load(tmp_path, 1, resolution=32)


def test_a_mesh_that_ends_early_is_named(tmp_path):
    """Open3D gives what came before the fault, with a line on the terminal."""
    lines = ["ply", "format ascii 1.0", "element vertex 4", *(f"property float {x}" for x in "xyz")]
    lines += ["element face 4", "property list uchar int vertex_indices", "end_header"]
    lines += ["0 0 0", "1 0 0", "0 1 0", "0 0 1", "3 0 2 1", "3 0 1 3", "3 1 2 3", "3 0 3 2"]
    path = tmp_path / "tetrahedron.ply"
    path.write_text("\n".join(lines) + "\n")
    (whole,) = load(tmp_path, 1, resolution=8)
    assert whole.faces.shape == (4, 3)
    path.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ValueError, match=r"tetrahedron\.ply: 3 of its 4 faces can be read.*Fetch it again"):
        load(tmp_path, 1, resolution=8)


def test_half_of_the_masks_lose_an_eighth():
    row, column = np.mgrid[:64, :64]
    masks = np.stack([np.hypot(row - 32, column - 32) < radius for radius in range(20, 28)])
    noisy = under_segment(masks, np.random.default_rng(0))
    assert not (noisy & ~masks).any()
    lost = 1 - noisy.sum((1, 2)) / masks.sum((1, 2))
    assert (lost > 0).sum() == 4
    assert ((lost[lost > 0] > 0.04) & (lost[lost > 0] < 0.3)).all()  # k-means does not cut evenly
    np.testing.assert_array_equal(noisy, under_segment(masks, np.random.default_rng(0)))


def test_depth_noise_grows_with_depth_squared():
    generator = np.random.default_rng(0)
    depth = np.tile([2.0, 4.0, np.nan], (40_000, 1))
    noisy = stereo_depth(depth, generator, deviation=0.01, size=1.5)
    assert np.isnan(noisy[:, 2]).all()
    error = (noisy - depth)[:, :2].std(0)
    mean = 3.0
    # 1 / sqrt(80,000) is the relative standard error of a deviation; four of them
    np.testing.assert_allclose(
        error, 0.01 * 1.5 * (depth[0, :2] / mean) ** 2, rtol=4 / np.sqrt(80_000) + 0.005
    )
