"""The C++ kernel against the reference of `fuzzy_metaballs`: values, and gradients in everything."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render
from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._reference import trace as reference
from fuzzy_metaballs_native import _core, instruction_sets, trace

SCENES, COMPONENTS, RAYS = 250, 6, 13
KINDS = ("ordinary", "inside", "half behind", "all behind", "far", "tiny", "huge", "thin", "alone")
SETS = instruction_sets()


class Scenes(NamedTuple):
    """A batch of random scenes: rays from places about `eye`, towards and past the object."""

    shape: FuzzyMetaballs
    origins: jax.Array
    directions: jax.Array
    features: jax.Array


def random_scenes(kind: str, features: int, *, scenes: int = SCENES, rays: int = RAYS) -> Scenes:
    rng = np.random.default_rng([KINDS.index(kind), features])
    axes = rng.normal(size=(scenes, COMPONENTS, 3, 3)) * 0.25
    covariances = axes @ np.swapaxes(axes, -1, -2) + 1e-3 * np.eye(3)
    if kind == "thin":
        plane, _ = np.linalg.qr(axes)
        covariances = plane * np.array([0.3, 0.2, 1e-3]) ** 2 @ np.swapaxes(plane, -1, -2)
    means = rng.normal(size=(scenes, COMPONENTS, 3)) * 0.6
    if kind == "alone":
        means[:, 1:] += 1e3
    eye = rng.normal(size=(scenes, 1, 3))
    eye *= {"inside": 0.2, "half behind": 0.9, "far": 1e3}.get(kind, 4.0) / np.linalg.norm(
        eye, axis=2, keepdims=True
    )
    target = rng.normal(size=(scenes, rays, 3)) * 0.4
    if kind == "all behind":
        target = 3 * eye
    origins = eye + rng.normal(size=(scenes, rays, 3)) * 0.05
    unit = {"tiny": 1e-6, "huge": 1e6}.get(kind, 1.0)
    directions = (target - origins) / np.linalg.norm(target - origins, axis=2, keepdims=True)
    factors = np.linalg.cholesky(np.linalg.inv(covariances)) / unit
    weights = rng.uniform(0.2, 2.0, (scenes, COMPONENTS))
    shape = jax.vmap(lambda m, f, w: FuzzyMetaballs.from_precision_cholesky(m, jnp.tril(f), w))(
        *map(jnp.asarray, (means * unit, factors, weights))
    )
    blended = rng.normal(size=(scenes, COMPONENTS, features))
    return Scenes(shape, *map(jnp.asarray, (origins * unit, directions, blended)))


@partial(jax.jit, static_argnames=("blend", "instruction_set"))
def values_and_gradients(scenes: Scenes, weights, *, blend: str, instruction_set: str | None):
    """Depth, log mass and features of every ray, and the gradients of a random weighting of them."""

    def loss(scene):
        law = BLENDS[blend]
        if instruction_set is None:
            values = reference(*scene, "linear", law)
        else:
            values = trace(*scene, "linear", law, instruction_set=instruction_set)
        return sum(jnp.vdot(x, w) for x, w in zip(values, weights, strict=True)), values

    (_, values), gradients = jax.vmap(jax.value_and_grad(loss, has_aux=True))(scenes)
    return values, gradients


def ray_weights(features: int, rays: int = RAYS):
    rng = np.random.default_rng(features)
    return tuple(jnp.asarray(rng.normal(size=(rays, *rest))) for rest in ((), (), (features,)))


def finite(tree) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(("blend", "features"), [("paper", 3), ("two_parameter", 5)])
def test_values_and_gradients_are_those_of_the_reference(blend, features, double):
    weights = ray_weights(features)
    for kind in KINDS:
        scenes = random_scenes(kind, features)
        plain = values_and_gradients(scenes, weights, blend=blend, instruction_set=None)
        for instruction_set in SETS:
            fast = values_and_gradients(scenes, weights, blend=blend, instruction_set=instruction_set)
            assert finite((fast, plain))
            # Some are 0 there but for what is left of sums, whose terms grow with the distance of 1e3.
            floor = {"all behind": 1e-12, "alone": 1e-10}.get(kind, 1e-300)
            # Far from the centre the coordinates themselves hold 1e3 eps; thin plates have condition 1e5 in
            # the reference's s; for the others a few roundings of exponents of some hundreds.
            tolerance = {"far": 1e-8, "alone": 1e-8, "thin": 1e-7}.get(kind, 1e-11)
            for got, want in zip(jax.tree.leaves(fast), jax.tree.leaves(plain), strict=True):
                # Each scene against its own largest entry; where its entries cancel, against the mean.
                size = np.abs(want).reshape(SCENES, -1).max(1)
                error = np.abs(got - want).reshape(SCENES, -1).max(1)
                np.testing.assert_array_less(error, tolerance * np.maximum(size, size.mean()) + floor, kind)


def test_single_precision_keeps_its_digits():
    weights = ray_weights(3)
    for kind in ("ordinary", "inside", "half behind", "tiny", "huge"):
        with jax.enable_x64(True):
            scenes = random_scenes(kind, 3)
            (depth, log_mass, features), _ = values_and_gradients(
                scenes, ray_weights(3), blend="two_parameter", instruction_set=None
            )
            single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), scenes)
            seen, eta = np.asarray(log_mass) > -7, np.asarray(scenes.shape.eta)[:, None]
        for instruction_set in SETS:
            got, gradients = values_and_gradients(
                single, weights, blend="two_parameter", instruction_set=instruction_set
            )
            assert got[0].dtype == jnp.float32
            assert finite((got, gradients))
            # y = L^T(mean - o) is good to eps |mean| / sigma, 100 eps for these shapes, and its error grows
            # by |y| once more in the exponents.
            assert (np.abs(got[0] - depth) / eta)[seen].max() < 1e-3
            assert np.abs(np.exp(got[1]) - np.exp(log_mass)).max() < 1e-3
            assert np.abs(got[2] - features)[seen].max() < 1e-2


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_exponential_has_the_error_that_it_states(dtype, instruction_set):
    info = np.finfo(dtype)
    x = np.concatenate([np.linspace(-87.2 if dtype is np.float32 else -707.9, 60, 1_000_001), [0.0, -0.0]])
    x = x.astype(dtype)
    y = np.empty_like(x)
    _core.exponential(x, y, SETS.index(instruction_set))
    exact = np.exp(x.astype(np.longdouble))
    assert float((np.abs(y - exact) / exact).max()) < 2 * info.eps
    below = np.array([-1e30, -np.inf, info.min, -800.0], dtype)
    y = np.full(4, np.nan, dtype)
    _core.exponential(below, y, SETS.index(instruction_set))
    np.testing.assert_array_equal(y, 0)


def test_more_components_and_rays_than_a_block_holds(double):
    # 150 components are three groups, and 9000 rays make four chunks for the threads.
    rng = np.random.default_rng(1)
    axes = rng.normal(size=(150, 3, 3)) * 0.1
    shape = FuzzyMetaballs.from_covariances(
        rng.normal(size=(150, 3)) * 0.5, axes @ axes.transpose(0, 2, 1) + 1e-3 * np.eye(3)
    )
    camera, pose = Camera.from_fov(100, 37, fov=0.7), look_at([0.0, 1.0, -0.5])  # some lie behind
    directions = camera.rays().reshape(-1, 3) @ pose[:3, :3].T
    scene = Scenes(shape, jnp.broadcast_to(pose[:3, 3], directions.shape), directions, shape.means[:, :1])
    want = jax.jit(lambda scene: reference(*scene, "linear", BLENDS["paper"]))(scene)

    def gradients(threads):
        def loss(scene):
            depth, log_mass, blended = trace(*scene, "linear", BLENDS["paper"], threads=threads)
            return (depth * jnp.exp(log_mass)).sum() + blended.sum(), (depth, log_mass, blended)

        return jax.jit(jax.value_and_grad(loss, has_aux=True))(scene)

    one, many = gradients(1), gradients(0)
    for got, expected in zip(one[0][1], want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)  # exponents of some hundreds
    jax.tree.map(np.testing.assert_array_equal, one, many)


def test_render_takes_it_by_name_and_without_features():
    shape = FuzzyMetaballs.sphere(7, key=jax.random.key(0))
    camera, pose = Camera.from_fov(9, 5, fov=0.7), look_at([0.0, 0.0, -4.0])
    for got, want in zip(
        *(jax.tree.leaves(render(shape, camera, pose, backend=backend)) for backend in ("native", "xla")),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4)  # in single precision
    rays = camera.rays().reshape(-1, 3)
    scene = (shape, jnp.zeros_like(rays) - 4.0, rays, jnp.zeros((7, 0)))
    assert trace(*scene, "linear", BLENDS["paper"])[2].shape == (45, 0)


def replace_means(shape: FuzzyMetaballs, means: jax.Array) -> FuzzyMetaballs:
    """Past the checks, as in a step of an optimiser."""
    return jax.tree.unflatten(jax.tree.structure(shape), [means, *jax.tree.leaves(shape)[1:]])


def test_nan_is_not_swallowed():
    scene = jax.tree.map(lambda x: x[0].astype(jnp.float32), random_scenes("ordinary", 3, scenes=1))
    look = jax.jit(lambda scene: trace(*scene, "linear", BLENDS["two_parameter"]))
    depth, log_mass, features = look(scene._replace(directions=scene.directions.at[2, 1].set(jnp.nan)))
    for values in (depth, log_mass, features[:, 0]):
        np.testing.assert_array_equal(np.isnan(values), np.arange(RAYS) == 2)
    ill = replace_means(scene.shape, scene.shape.means.at[3, 0].set(jnp.nan))
    assert all(jnp.isnan(values).all() for values in look(scene._replace(shape=ill)))


def test_bad_input():
    scene = jax.tree.map(lambda x: x[0].astype(jnp.float32), random_scenes("ordinary", 3, scenes=1))
    law = BLENDS["paper"]
    with pytest.raises(ValueError, match=r"`instruction_set` must be one of .*'baseline'.*; got 'sse9'"):
        trace(*scene, "linear", law, instruction_set="sse9")
    with pytest.raises(ValueError, match=r"`threads` must be at least 0 \(all of XLA's\); got -1"):
        trace(*scene, "linear", law, threads=-1)
    with pytest.raises(ValueError, match=r"`intersection` must be 'linear' .*; got 'cubic'.*Use backend="):
        trace(*scene, "cubic", law)
    with pytest.raises(ValueError, match=r"`blend` must be 'paper' or 'two_parameter' .* Use backend='xla'"):
        trace(*scene, "linear", BLENDS["sorted"])
    half = scene._replace(directions=scene.directions.astype(jnp.float16))
    with pytest.raises(TypeError, match="must be all float32 or all float64; got float16, float32"):
        trace(*half, "linear", law)
