from __future__ import annotations

import builtins

import numpy as np
import pytest
from scenes import random_scene

from fuzzy_metaballs import FuzzyMetaballs, to_mesh


def volume(mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def edges(mesh) -> np.ndarray:
    return np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])


def ellipsoid(scale: float = 1.0) -> tuple[FuzzyMetaballs, np.ndarray]:
    covariance = np.array([[0.5, 0.1, 0.0], [0.1, 0.3, 0.05], [0.0, 0.05, 0.2]]) * scale**2
    return FuzzyMetaballs.from_covariances(np.array([[1.0, 2.0, 3.0]]) * scale, covariance[None]), covariance


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_one_component_gives_its_ellipsoid(scale):
    shape, covariance = ellipsoid(scale)
    mesh = to_mesh(shape, level=np.exp(-2.0), resolution=32)  # two standard deviations
    offset = mesh.vertices - np.array([1.0, 2.0, 3.0]) * scale
    precision = np.linalg.inv(covariance)
    distance = np.sqrt(np.einsum("vi,ij,vj->v", offset, precision, offset))
    # One Newton step squares the error of marching cubes, about (cell / curvature radius)^2 / 8 < 1e-2.
    np.testing.assert_allclose(distance, 2, rtol=1e-4)
    normals = offset @ precision
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    np.testing.assert_allclose(mesh.normals, normals, atol=1e-4)


def test_volume_converges_with_order_two():
    shape, covariance = ellipsoid()
    exact = 4 / 3 * np.pi * 8 * np.sqrt(np.linalg.det(covariance))
    errors = [abs(volume(to_mesh(shape, level=np.exp(-2.0), resolution=n)) - exact) for n in (16, 32, 64)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert volume(to_mesh(shape, level=np.exp(-2.0), resolution=64)) > 0  # faces turn outwards
    np.testing.assert_allclose(orders, 2, atol=0.3)  # flat triangles on a curved surface


@pytest.mark.parametrize("blend", ["paper", "two_parameter"])
def test_meshes_are_closed(blend):
    mesh = to_mesh(random_scene("ordinary", 0).shape, blend=blend, resolution=40)
    directed = edges(mesh)
    assert len(np.unique(directed, axis=0)) == len(directed)
    # Each edge is there once in each direction: no border, one orientation.
    assert {tuple(e) for e in directed} == {tuple(e[::-1]) for e in directed}


def test_bad_input(monkeypatch):
    shape, _ = ellipsoid()
    with pytest.raises(ValueError, match="`level` must be positive; got 0"):
        to_mesh(shape, level=0.0)
    with pytest.raises(ValueError, match="`level` = 2 is nowhere reached; the weights sum to 1"):
        to_mesh(shape, level=2.0)
    with pytest.raises(ValueError, match="`resolution` must be at least 8; got 4"):
        to_mesh(shape, resolution=4)
    real = builtins.__import__

    def without_skimage(name, *rest):
        if name.startswith("skimage"):
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_skimage)
    with pytest.raises(ImportError, match=r'pip install "fuzzy-metaballs\[mesh\]"'):
        to_mesh(shape)
