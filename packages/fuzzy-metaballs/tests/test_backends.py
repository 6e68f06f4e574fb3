"""The fast path against the reference, in both precisions, and against itself in other portions."""

from __future__ import annotations

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scenes import (
    COMPONENTS,
    HEIGHT,
    KINDS,
    WIDTH,
    Scene,
    camera,
    finite,
    random_scene,
    random_scenes,
)

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render, se3_exp

SCENES = 40
COMBINATIONS = list(product(("linear", "quadratic", "cubic"), ("paper", "two_parameter", "sorted")))
ONE_OF_EACH = [("linear", "paper"), ("quadratic", "two_parameter"), ("cubic", "sorted")]
SLOW = [
    pytest.param(*each, marks=[] if each in ONE_OF_EACH else pytest.mark.slow) for each in COMBINATIONS
]  # half a minute together; they differ in one function each


@partial(jax.jit, static_argnames=("intersection", "blend", "backend"))
def images_and_gradients(scenes: Scene, lens, twists, weights, *, intersection, blend: str, backend: str):
    """A random weighting of the pixels of a batch of scenes, their images, the gradients in everything."""

    def loss(shape, intrinsics, twist, pose):
        image = render(
            shape,
            Camera(intrinsics, WIDTH, HEIGHT),
            pose @ se3_exp(twist),
            intersection=intersection,
            blend=blend,
            backend=backend,
            chunk_size=20,
        )
        return sum(jnp.vdot(x, w) for x, w in zip(jax.tree.leaves(image), weights, strict=True)), image

    def one(shape, intrinsics, twist, pose):
        return jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(shape, intrinsics, twist, pose)

    (losses, images), gradients = jax.vmap(one)(scenes.shape, lens, twists, scenes.pose)
    return losses, images, gradients


def results(scenes: Scene, weights, *, intersection="linear", blend: str, backend: str):
    """Images and gradients for the plain camera and the poses as they are."""
    dtype, count = scenes.pose.dtype, len(scenes.pose)
    lens = jnp.broadcast_to(jnp.asarray(camera().intrinsics, dtype), (count, 4))
    twists = jnp.zeros((count, 6), dtype)
    return images_and_gradients(
        scenes, lens, twists, weights, intersection=intersection, blend=blend, backend=backend
    )[1:]


def pixel_weights(rng, dtype) -> tuple:
    return tuple(jnp.asarray(rng.normal(size=(HEIGHT, WIDTH, *rest)), dtype) for rest in ((), (), (3,)))


@pytest.mark.parametrize(("intersection", "blend"), SLOW)
def test_fast_path_is_the_reference_in_double_precision(intersection, blend, rng, double):
    scenes = random_scenes(KINDS, SCENES)
    weights = pixel_weights(rng, float)
    options = {"intersection": intersection, "blend": blend}
    fast = results(scenes, weights, **options, backend="xla")
    plain = results(scenes, weights, **options, backend="reference")
    assert finite((fast, plain))
    # Most gradients are 0 where all lies behind, but for roundings of sums of terms up to the 1167 of the
    # paper's alpha. Far away the coordinates themselves hold 1e6 eps; thin plates have condition 1e6 in the
    # reference's s.
    floor = np.array([1e-12 if kind == "all behind" else 1e-300 for kind in KINDS])
    tolerance = np.array([{"far": 1e-7, "thin": 1e-7}.get(kind, 1e-11) for kind in KINDS])
    for got, want in zip(jax.tree.leaves(fast), jax.tree.leaves(plain), strict=True):
        # Each scene against its own largest entry; where its entries cancel, against the mean of its kind.
        size = np.abs(want).reshape(len(KINDS), SCENES, -1).max(2)
        error = np.abs(got - want).reshape(len(KINDS), SCENES, -1).max(2)
        size = np.maximum(size, size.mean(1, keepdims=True))
        np.testing.assert_array_less(error, tolerance[:, None] * size + floor[:, None])


def test_single_precision_keeps_its_digits(rng):
    with jax.enable_x64(True):
        scenes = random_scenes(KINDS, SCENES)
        weights = pixel_weights(rng, jnp.float64)
        want, _ = results(scenes, weights, blend="two_parameter", backend="reference")
        seen, alpha = np.asarray(want.alpha) > 1e-3, np.asarray(want.alpha)
        eta = np.asarray(scenes.shape.eta)[:, None, None]
        single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (scenes, weights))
    got, got_gradients = results(*single, blend="two_parameter", backend="xla")
    assert got.depth.dtype == jnp.float32
    assert finite((got, got_gradients))
    for i, kind in enumerate(KINDS):
        if kind == "far":
            continue  # the scene itself is not the same in single precision
        these = slice(i * SCENES, (i + 1) * SCENES)
        # y = L^T(mean - o) is good to eps |mean| / sigma, 100 eps for these shapes and 1e4 eps for the
        # plates; in the exponents its error grows by |y| once more.
        relative = 3e-2 if kind == "thin" else 1e-3
        depth, normals = np.asarray(want.depth), np.asarray(want.normals)
        assert (np.abs(got.depth - depth) / eta)[these][seen[these]].max(initial=0) < relative
        assert np.abs(got.alpha - alpha)[these].max() < relative
        assert np.abs(got.normals - normals)[these][seen[these]].max(initial=0) < 10 * relative


@pytest.mark.parametrize(("intersection", "blend"), [("quadratic", "paper"), ("cubic", "sorted")])
def test_in_single_precision_nothing_is_nan(intersection, blend, rng):
    scenes = random_scenes(KINDS, SCENES)
    assert scenes.pose.dtype == jnp.float32
    weights = pixel_weights(rng, jnp.float32)
    assert finite(results(scenes, weights, intersection=intersection, blend=blend, backend="xla"))


def test_a_thousand_components_and_parts_of_the_outputs(rng, double):
    # A loss of depth or of alpha alone, and the gradient of the pose alone, leave out parts of the work.
    scene = random_scene("ordinary", 0)
    means, axes = rng.normal(size=(1000, 3)), rng.normal(size=(1000, 3, 3)) * 0.1
    shape = FuzzyMetaballs.from_covariances(means, axes @ axes.transpose(0, 2, 1) + 1e-3 * np.eye(3))

    @partial(jax.jit, static_argnames="backend")
    def slopes(shape, twist, backend):
        def image(shape, twist):
            return render(shape, camera(), scene.pose @ se3_exp(twist), backend=backend)

        def along(pick, leaf):
            return jax.grad(lambda s, t: pick(image(s, t)), argnums=leaf)(shape, twist)

        return (
            along(lambda x: (x.depth**2).sum(), 1),
            along(lambda x: x.alpha_logit[2].sum(), 0),
            along(lambda x: x.normals[..., 0].sum(), 1),
        )

    for got, want in zip(
        jax.tree.leaves(slopes(shape, jnp.zeros(6), "xla")),
        jax.tree.leaves(slopes(shape, jnp.zeros(6), "reference")),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11 * float(jnp.abs(want).max()))


@pytest.mark.parametrize(("intersection", "blend"), COMBINATIONS)
def test_gradients_are_those_of_finite_differences(intersection, blend, rng, double):
    kinds = ("ordinary", "half behind")
    count = len(KINDS) * SCENES  # as many as above, for one compilation to serve both
    scenes = [random_scene(kind, 1) for kind in kinds]
    scenes = jax.tree.map(lambda *leaves: np.stack(leaves * (count // 2)), *scenes)
    lens = jnp.broadcast_to(camera().intrinsics, (count, 4))
    point = (scenes.shape, lens, jnp.zeros((count, 6)))
    directions = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), point)
    weights = pixel_weights(rng, float)

    def at(step):
        shapes, lens, twists = jax.tree.map(lambda x, d: x + step * d, point, directions)
        return images_and_gradients(
            Scene(shapes, scenes.pose),
            lens,
            twists,
            weights,
            intersection=intersection,
            blend=blend,
            backend="xla",
        )

    step = 1e-7
    numeric = (at(step)[0] - at(-step)[0]) / (2 * step)
    slopes = jax.tree.map(lambda g, d: (g * d).reshape(count, -1).sum(1), at(0.0)[2], directions)
    # Slopes are some hundreds. Rounding: eps |loss| / step = 1e-5; truncation: step^2 times third
    # derivatives, up to 1e10 where the camera stands at a component's edge.
    np.testing.assert_allclose(sum(jax.tree.leaves(slopes)), numeric, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("chunk_size", [1, 7])
def test_chunks_do_not_change_the_answer(chunk_size):
    shape, pose = random_scene("ordinary", 0)
    whole = render(shape, camera(), pose)
    for got, want in zip(
        jax.tree.leaves(render(shape, camera(), pose, chunk_size=chunk_size)),
        jax.tree.leaves(whole),
        strict=True,
    ):
        np.testing.assert_allclose(
            got, want, rtol=2e-5, atol=2e-5
        )  # matrix products of other sizes round otherwise


def test_vmap_over_scenes_is_a_loop(rng):
    weights = pixel_weights(rng, jnp.float32)
    together, _ = results(random_scenes(KINDS, SCENES), weights, blend="two_parameter", backend="xla")
    for i in range(3):
        shape, pose = random_scene("ordinary", i)
        alone = render(shape, camera(), pose, blend="two_parameter")
        for got, want in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(got[i], want, rtol=2e-4, atol=2e-4)  # other chunks round otherwise


def test_memory_is_bounded_by_the_chunk():
    shape = FuzzyMetaballs.sphere(40, key=jax.random.key(0))
    big = Camera.from_fov(160, 120, fov=0.7)
    pose = look_at([0.0, 0.0, -4.0])
    value_and_gradient = jax.jit(
        jax.value_and_grad(lambda s: render(s, big, pose, chunk_size=480).depth.sum())
    )
    analysis = value_and_gradient.lower(shape).compile().memory_analysis()
    # One plane of values for all pairs of rays and components would hold 40 * 19200 * 4 bytes = 3.1 MB.
    assert analysis.temp_size_in_bytes < 3e6


@pytest.mark.gpu
def test_gpu_gives_the_answer_of_the_cpu():
    try:
        device = jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("no GPU: JAX finds none")
    shape, pose = random_scene("ordinary", 0)
    want = render(shape, camera(), pose)
    got = render(*jax.device_put((shape, camera(), jnp.asarray(pose)), device))
    assert got.depth.devices() == {device}
    np.testing.assert_allclose(got.depth, want.depth, rtol=1e-4)


def test_the_scenes_are_as_many_as_they_seem():
    assert {random_scene(kind, 0).shape.components for kind in KINDS} == {COMPONENTS}
