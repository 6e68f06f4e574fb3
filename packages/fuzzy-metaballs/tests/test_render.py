"""Images: what they do not depend on, what they show of a sphere, and what is refused."""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scenes import HEIGHT, WIDTH, ball, camera, finite, random_scene

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render, se3_exp, silhouette_loss


@pytest.mark.parametrize("unit", [1e-6, 1e-2, 1e3, 1e6])
@pytest.mark.parametrize("blend", ["paper", "two_parameter"])
def test_the_unit_of_length_does_not_matter(unit, blend):
    shape, pose = random_scene("ordinary", 3)
    scaled = FuzzyMetaballs.from_precision_cholesky(
        shape.means * unit, shape.precision_cholesky / unit, jnp.exp(shape.log_weights)
    )
    moved = jnp.asarray(pose).at[:3, 3].multiply(unit)
    want, got = render(shape, camera(), pose, blend=blend), render(scaled, camera(), moved, blend=blend)
    np.testing.assert_allclose(
        got.depth, want.depth * unit, rtol=1e-4
    )  # exponents of some tens, 100 eps each
    np.testing.assert_allclose(got.alpha, want.alpha, atol=1e-4)
    np.testing.assert_allclose(got.normals, want.normals, atol=1e-3)


def test_moving_shape_and_camera_together_changes_nothing(rng, double):
    shape, pose = random_scene("ordinary", 4)
    motion = se3_exp(jnp.asarray(rng.normal(size=6)))
    rotation = motion[:3, :3]
    moved = FuzzyMetaballs.from_covariances(
        shape.means @ rotation.T + motion[:3, 3],
        rotation @ shape.covariances @ rotation.T,
        jnp.exp(shape.log_weights),
    )
    want, got = render(shape, camera(), pose), render(moved, camera(), motion @ pose)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_normals_of_one_ball_face_the_camera():
    shape, pose = ball(center=(0.3, 0.2, 0.0)), look_at([0.0, 1.0, -4.0])
    image = render(shape, camera(), pose)
    toward = np.asarray(pose[:3, 3] - shape.means[0])
    want = toward / np.linalg.norm(toward) @ np.asarray(pose[:3, :3])
    np.testing.assert_allclose(image.normals, np.broadcast_to(want, (HEIGHT, WIDTH, 3)), atol=1e-5)


def sphere_of_plates(count: int) -> FuzzyMetaballs:
    """Flat components tangent to the unit sphere, evenly spread."""
    k = np.arange(count)
    z = 1 - (2 * k + 1) / count
    azimuth = np.pi * (3 - np.sqrt(5)) * k
    points = np.stack([np.sqrt(1 - z**2) * np.cos(azimuth), np.sqrt(1 - z**2) * np.sin(azimuth), z], axis=1)
    radial = points[:, :, None] * points[:, None, :]
    width = np.sqrt(4 * np.pi / count) / 2
    covariances = width**2 * (np.eye(3) - radial) + 0.01**2 * radial
    return FuzzyMetaballs.from_covariances(points, covariances, np.ones(count))


def test_depth_and_normals_of_a_sphere():
    count = 400
    grid = Camera.from_fov(32, 32, fov=0.45)
    image = render(sphere_of_plates(count), grid, look_at([0.0, 0.0, -5.0]), blend="two_parameter")
    rays = np.asarray(grid.rays())
    a, b = (rays**2).sum(-1), 5 * rays[..., 2]
    root = b**2 - a * 24
    inner = root > 0.4 * root.max()  # away from the rim, where a ray touches many plates at once
    exact = (b - np.sqrt(np.maximum(root, 0))) / a
    normals = rays * exact[..., None] - [0, 0, 5]
    assert inner.sum() > 300
    # Plates are half their spacing (0.09) wide in one standard deviation and leave the sphere by its square;
    # the blend also looks through to the far side a little.
    assert np.abs(image.depth - exact)[inner].max() < 0.05
    cosine = (np.asarray(image.normals) * normals).sum(-1)[inner]
    assert np.degrees(np.arccos(np.minimum(cosine, 1))).max() < 6


def test_the_gradient_of_a_missed_pixel_does_not_die():
    # The mask lies a hundred standard deviations beside the ball: alpha is 0, the loss and its gradient are
    # not.
    mask = jnp.zeros((HEIGHT, WIDTH)).at[0, 0].set(1.0)
    pose = look_at([0.0, 0.0, -10.0])

    @jax.jit
    @jax.value_and_grad
    def loss(shape):
        return silhouette_loss(render(shape, camera(), pose, blend="two_parameter").alpha_logit, mask)

    value, gradient = loss(ball(deviation=0.02))
    assert finite((value, gradient))
    # Downhill leads towards the pixel: in this view the world's x points left and y up.
    assert gradient.means[0, 0] < 0
    assert gradient.means[0, 1] < 0


def test_precision_follows_the_arguments(double):
    shape, pose = random_scene("ordinary", 0)
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), shape)
    lens = Camera(jnp.asarray(camera().intrinsics, jnp.float32), WIDTH, HEIGHT)
    assert render(single, lens, jnp.asarray(pose, jnp.float32)).depth.dtype == jnp.float32
    double_camera = jax.grad(lambda s: render(s, camera(), pose).depth.sum())
    gradient = jax.eval_shape(double_camera, single)
    assert gradient.means.dtype == jnp.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"intersection": "quartic"}, "`intersection` must be one of .* 'cubic'; got 'quartic'"),
        ({"blend": "additive"}, "`blend` must be one of .*, 'sorted'; got 'additive'"),
        ({"backend": "cuda"}, "`backend` must be one of 'xla', 'reference', 'native'; got 'cuda'"),
        ({"chunk_size": 0}, "`chunk_size` must be at least 1; got 0"),
    ],
)
def test_unknown_options(options, message):
    unchecked = getattr(render, "__wrapped__", render)  # past beartype, which would be first to complain
    with pytest.raises(ValueError, match=message):
        unchecked(ball(), camera(), np.eye(4), **options)


def test_without_the_native_kernel_its_wheel_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fuzzy_metaballs_native", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r'pip install "fuzzy-metaballs\[native\]"'):
        render(ball(), camera(), np.eye(4), backend="native")


SHEARED = np.array([[1, 0, 0.6, 0], [0, 1, 0, 0], [0, 0, 0.8, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (np.eye(3), r"`pose` must have shape \(4, 4\); got \(3, 3\)"),
        (np.full((4, 4), np.nan), r"`pose` must be finite; pose\[0, 0\] = nan"),
        (
            np.zeros((4, 4)),
            r"`pose` must be a rigid motion; the columns of pose\[:3, :3\] have the lengths 0, 0, 0 and the "
            r"scalar products 0, 0, 0, where .* Take out scale and shear, or make the pose by `look_at`",
        ),
        (np.diag([2.0, 2.0, 2.0, 1.0]), r"lengths 2, 2, 2 and the scalar products 0, 0, 0"),
        (SHEARED, r"lengths 1, 1, 1 and the scalar products 0, 0.6, 0"),
        (np.diag([-1.0, 1.0, 1.0, 1.0]), r"pose\[:3, :3\] is a reflection, its determinant is -1\. Negate"),
    ],
)
def test_poses_that_are_none(pose, message):
    with pytest.raises(ValueError, match=message):
        render(ball(), camera(), pose)
