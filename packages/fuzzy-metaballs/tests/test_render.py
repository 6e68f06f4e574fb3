from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scenes import COMPONENTS, KINDS, Scene, random_scene, random_scenes
from scipy.optimize import brentq, minimize_scalar

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render, se3_exp, silhouette_loss
from fuzzy_metaballs._rules import smallest_root

SCENES = 40
BLENDS = ("paper", "two_parameter")
COMBINATIONS = list(product(("linear", "quadratic", "cubic"), ("paper", "two_parameter", "sorted")))
ONE_OF_EACH = [("linear", "paper"), ("quadratic", "two_parameter"), ("cubic", "sorted")]
SLOW = [
    pytest.param(*each, marks=[] if each in ONE_OF_EACH else pytest.mark.slow) for each in COMBINATIONS
]  # half a minute together; they differ in one function each
WIDTH, HEIGHT = 8, 6


def camera() -> Camera:
    return Camera.from_fov(WIDTH, HEIGHT, fov=0.7)


def ball(center=(0.0, 0.0, 0.0), deviation=0.1, weight=1.0) -> FuzzyMetaballs:
    return FuzzyMetaballs.from_covariances(
        np.array([center]), np.eye(3)[None] * deviation**2, np.array([weight])
    )


def finite(tree) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


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


@pytest.mark.parametrize("backend", ["xla", "reference"])
@pytest.mark.parametrize("intersection", ["linear", "quadratic", "cubic"])
def test_one_component_in_closed_form(intersection, backend, rng, double):
    axes = rng.normal(size=(3, 3)) * 0.3
    covariance = axes @ axes.T + 0.01 * np.eye(3)
    mean, log_weight = np.array([0.1, -0.2, 0.05]), 0.3
    shape = FuzzyMetaballs.from_covariances(mean[None], covariance[None], np.exp([log_weight]))
    pose = np.asarray(look_at([1.0, 2.0, -3.0]))
    image = render(shape, camera(), pose, intersection=intersection, blend="two_parameter", backend=backend)
    precision = np.linalg.inv(covariance)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        v = pose[:3, :3] @ np.asarray(camera().rays())[row, column]
        t = intersect(intersection, v, mean - pose[:3, 3], precision)
        x = v * t - (mean - pose[:3, 3])
        mass = np.exp(log_weight - x @ precision @ x / 2)
        # The maximum of a parabola is known to the root of its rounding.
        np.testing.assert_allclose(image.depth[row, column], t, rtol=1e-7)
        np.testing.assert_allclose(image.alpha[row, column], -np.expm1(-mass), rtol=1e-7)
        np.testing.assert_allclose(
            image.alpha_logit[row, column], np.log(np.expm1(mass)), rtol=1e-6, atol=1e-7
        )


def intersect(intersection, v, mu, precision):
    """Where a ray from the origin meets a component, from the rule's words."""

    def distance(t):
        x = np.multiply.outer(t, v) - mu
        return np.einsum("...i,ij,...j", x, precision, x)

    closest = minimize_scalar(distance, bracket=(2.0, 4.0), tol=1e-12).x
    if intersection == "linear" or (intersection == "quadratic" and distance(closest) > 1):
        return closest
    if intersection == "quadratic":
        return brentq(lambda t: distance(t) - 1, closest - 10, closest, xtol=1e-14)

    def steepness(t):
        x = (np.multiply.outer(t, v) - mu) @ precision
        return np.log((x**2).sum(-1)) - distance(t)

    grid = np.linspace(closest - 3, closest + 3, 100_001)
    values = steepness(grid)
    first = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:]))[0]
    return minimize_scalar(lambda t: -steepness(t), bracket=tuple(grid[first : first + 3]), tol=1e-12).x


def test_sorting_composites_from_front_to_back(double):
    # The nearer ball comes second, and the third lies behind the camera.
    weights = np.array([0.9, 0.4, 5.0])
    shape = FuzzyMetaballs.from_covariances(
        [[0, 0, 6.0], [0, 0, 4.0], [0, 0, -4.0]], np.eye(3)[None].repeat(3, 0) * 0.01, weights
    )
    odd = Camera.from_fov(5, 5, fov=0.2)
    far, near = 1 - np.exp(-weights[:2])
    want = (near * 4 + (1 - near) * far * 6) / (near + (1 - near) * far)
    for backend in ("xla", "reference"):
        image = render(shape, odd, np.eye(4), blend="sorted", backend=backend)
        np.testing.assert_allclose(image.depth[2, 2], want, rtol=1e-12)
        np.testing.assert_allclose(image.alpha[2, 2], near + (1 - near) * far, rtol=1e-12)


def test_the_cubic_s_smallest_root(rng):
    h1 = rng.normal(size=2000) * rng.choice([0.01, 0.3, 1, 3], 2000)
    h0 = h1**2 + rng.exponential(size=2000) * rng.choice([0.01, 0.3, 1, 10, 1000], 2000)
    roots = [np.roots([1, 2 * b, a - 1, -b]) for a, b in zip(h0, h1, strict=True)]
    want = np.array([r.real[np.abs(r.imag) < 1e-7 * (1 + np.abs(r))].min() for r in roots])
    with jax.enable_x64(True):
        np.testing.assert_allclose(smallest_root(jnp.asarray(h0), jnp.asarray(h1)), want, rtol=1e-6)
    single = np.asarray(smallest_root(jnp.asarray(h0, jnp.float32), jnp.asarray(h1, jnp.float32)))
    assert np.isfinite(single).all()
    # The target of the issue, in standard deviations.
    assert np.quantile(np.abs(single - want), 0.99) < 2e-5


def test_alpha_of_the_paper_in_closed_form(double):
    # At the middle of the only component S = 1; on the empty rays of a small ball S = 0 (eq. 5).
    odd = Camera.from_fov(9, 9, fov=0.7)
    image = render(ball(deviation=0.01), odd, look_at([0.0, 0.0, -4.0]))
    scale, offset = 2 * np.exp(6.369), -2 * np.exp(6.369 - 5.422)
    np.testing.assert_allclose(image.alpha_logit[4, 4], scale + offset, rtol=1e-12)
    np.testing.assert_allclose(image.alpha_logit[0, 0], offset, rtol=1e-12)


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


@pytest.mark.parametrize("backend", ["xla", "reference"])
def test_behind_the_camera_nothing_is_seen(backend, double):
    behind = ball(center=(0.0, 0.0, -4.0), deviation=0.5)
    image = render(behind, camera(), np.eye(4), blend="two_parameter", backend=backend)
    assert not image.alpha.any()
    assert not image.depth.any()
    assert not image.normals.any()
    paper = render(behind, camera(), np.eye(4), blend="paper", backend=backend)
    np.testing.assert_allclose(paper.alpha_logit, -2 * np.exp(6.369 - 5.422), rtol=1e-6)


def test_what_lies_behind_does_not_shift_what_lies_in_front():
    both = FuzzyMetaballs.from_covariances([[0, 0, 5.0], [0, 0, -20.0]], np.eye(3)[None].repeat(2, 0))
    odd = Camera.from_fov(5, 5, fov=0.2)
    for blend in BLENDS:
        assert float(render(both, odd, np.eye(4), blend=blend).depth[2, 2]) == pytest.approx(5.0, rel=1e-6)


def test_a_component_fades_smoothly_as_the_camera_walks_through_it(double):
    odd = Camera.from_fov(3, 3, fov=0.2)

    def mass(z):
        pose = jnp.eye(4).at[2, 3].set(z)
        return jnp.exp(render(ball(deviation=1.0), odd, pose, blend="two_parameter").alpha_logit[1, 1])

    z = jnp.linspace(-1.2, 0.2, 141)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(mass)))(z)
    assert values[0] == pytest.approx(np.e - 1)
    assert values[-1] == 0
    assert (np.diff(values) <= 1e-12).all()
    # The share 3 z^4 - 2 z^6 has curvatures up to 24, times e; a kink would change the slope by 2 e at least.
    assert np.abs(np.diff(values)).max() < 0.1
    assert np.abs(np.diff(slopes)).max() < 1.0


@pytest.mark.parametrize("unit", [1e-6, 1e-2, 1e3, 1e6])
@pytest.mark.parametrize("blend", BLENDS)
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


@pytest.mark.parametrize("backend", ["xla", "reference"])
def test_features_blend_as_the_depth_does(backend, double):
    shape, pose = random_scene("ordinary", 5)
    forward = pose[:3, 2]
    heights = (shape.means - pose[:3, 3]) @ forward
    colored = replace(shape, features=jnp.stack([jnp.ones(COMPONENTS), heights], axis=1))
    image = render(colored, camera(), pose, backend=backend)
    plain = render(shape, camera(), pose, backend=backend)
    assert plain.features is None
    assert image.features.shape == (HEIGHT, WIDTH, 2)
    np.testing.assert_allclose(image.features[..., 0], 1.0, rtol=1e-12)
    assert (image.features[..., 1] >= heights.min() - 1e-12).all()
    assert (image.features[..., 1] <= heights.max() + 1e-12).all()
    for name in ("depth", "alpha_logit", "normals"):
        np.testing.assert_allclose(getattr(image, name), getattr(plain, name), rtol=1e-12, atol=1e-12)


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


def test_vmap_over_scenes_is_a_loop(rng):
    weights = pixel_weights(rng, jnp.float32)
    together, _ = results(random_scenes(KINDS, SCENES), weights, blend="two_parameter", backend="xla")
    for i in range(3):
        shape, pose = random_scene("ordinary", i)
        alone = render(shape, camera(), pose, blend="two_parameter")
        for got, want in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(got[i], want, rtol=2e-4, atol=2e-4)  # other chunks round otherwise


def test_precision_follows_the_arguments(double):
    shape, pose = random_scene("ordinary", 0)
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), shape)
    lens = Camera(jnp.asarray(camera().intrinsics, jnp.float32), WIDTH, HEIGHT)
    assert render(single, lens, jnp.asarray(pose, jnp.float32)).depth.dtype == jnp.float32
    double_camera = jax.grad(lambda s: render(s, camera(), pose).depth.sum())
    gradient = jax.eval_shape(double_camera, single)
    assert gradient.means.dtype == jnp.float32


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


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (np.eye(3), r"`pose` must have shape \(4, 4\); got \(3, 3\)"),
        (np.full((4, 4), np.nan), r"`pose` must be finite; pose\[0, 0\] = nan"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), r"must be 0 \(a rotation\).*= 3"),
        (np.diag([-1.0, 1.0, 1.0, 1.0]), r"must be 1 \(not a reflection\)"),
    ],
)
def test_poses_that_are_none(pose, message):
    with pytest.raises(ValueError, match=message):
        render(ball(), camera(), pose)


def test_the_scenes_are_as_many_as_they_seem():
    assert {random_scene(kind, 0).shape.components for kind in KINDS} == {COMPONENTS}
