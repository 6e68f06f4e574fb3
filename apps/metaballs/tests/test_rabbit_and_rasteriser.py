from __future__ import annotations

import numpy as np
import pytest

from metaballs.rabbit import rabbit
from metaballs.rasterise import rasterise

INTRINSICS = np.array([40.0, 42.0, 15.5, 11.5])
WIDTH, HEIGHT = 32, 24


def tetrahedron(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(4, 3)) * 0.6 + [0, 0, 4], np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])


def cast(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Depth of the nearest face along each pixel's ray, by solving for the point of intersection."""
    fx, fy, cx, cy = INTRINSICS
    depth = np.full((HEIGHT, WIDTH), np.inf)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        ray = np.array([(column - cx) / fx, (row - cy) / fy, 1.0])
        for a, b, c in vertices[faces]:
            u, v, t = np.linalg.solve(np.stack([b - a, c - a, -ray], axis=1), -a)
            if u >= 0 and v >= 0 and u + v <= 1:
                depth[row, column] = min(depth[row, column], t)
    return depth


@pytest.mark.parametrize("seed", range(5))
def test_rasteriser_is_a_ray_caster(seed):
    vertices, faces = tetrahedron(np.random.default_rng(seed))
    raster = rasterise(vertices, faces, INTRINSICS, np.eye(4), WIDTH, HEIGHT)
    want = cast(vertices, faces)
    assert raster.mask.sum() > 20
    np.testing.assert_array_equal(raster.mask, np.isfinite(want))
    np.testing.assert_allclose(raster.depth[raster.mask], want[raster.mask], rtol=1e-12)
    points = (vertices[faces[raster.face]] * raster.weights[..., None]).sum(2)[raster.mask]
    np.testing.assert_allclose(points[:, 2], want[raster.mask], rtol=1e-12)


def test_rasteriser_follows_the_pose():
    vertices, faces = tetrahedron(np.random.default_rng(0))
    pose = np.array([[0.0, 0, 1, 2], [1, 0, 0, -1], [0, 1, 0, 0.5], [0, 0, 0, 1]])  # a cyclic change of axes
    moved = vertices @ pose[:3, :3].T + pose[:3, 3]
    still = rasterise(vertices, faces, INTRINSICS, np.eye(4), WIDTH, HEIGHT)
    np.testing.assert_array_equal(rasterise(moved, faces, INTRINSICS, pose, WIDTH, HEIGHT).face, still.face)


def test_rasteriser_wants_the_mesh_in_front():
    with pytest.raises(ValueError, match="one has depth -4"):
        rasterise(np.array([[0.0, 0, -4]]), np.zeros((0, 3), int), INTRINSICS, np.eye(4), WIDTH, HEIGHT)


def test_the_rabbit_is_watertight_and_turned_outwards():
    vertices, faces = rabbit(48)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert {tuple(e) for e in edges} == {tuple(e[::-1]) for e in edges}
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    assert 0.3 < (a * np.cross(b, c)).sum() / 6 < 0.7
    # One body: Euler's formula gives 2 - 2 * holes for each closed surface that hangs together.
    assert len(vertices) - len(edges) // 2 + len(faces) in (2, 0, -2)
    np.testing.assert_array_equal(vertices, rabbit(48)[0])
