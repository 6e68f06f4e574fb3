"""The native kernel against the formulation as published, with one thread and with all of XLA's.

Needs `fuzzy-metaballs-native`. For one thread set
XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1". Within a group the peer and
ours run one after the other; the answers are compared first, and the ratio of the shortest times is kept
with ours.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
import peer
import pytest

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render, se3_exp

pytest.importorskip("fuzzy_metaballs_native")

SIZES = ((80, 60, 40), (160, 120, 40), (80, 60, 1000), (640, 480, 40))


def scene(components: int) -> tuple[FuzzyMetaballs, jax.Array]:
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(components, 3, 3)) * 0.15
    covariances = axes @ axes.transpose(0, 2, 1) + 1e-3 * np.eye(3)
    means = rng.normal(size=(components, 3)) * 0.5
    return FuzzyMetaballs.from_covariances(means, covariances), look_at([0.0, 1.0, -4.0])


def native(shape, camera, pose):
    image = render(shape, camera, pose, backend="native")
    return image.depth, image.alpha


@pytest.mark.parametrize("work", ["forward", "pose gradient"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_native(benchmark, size, work):
    benchmark.group = f"{size[0]} x {size[1]}, {size[2]} components: {work}"
    camera = Camera.from_fov(*size[:2], fov=0.8)
    shape, pose = scene(size[2])

    def compiled(function):
        if work == "forward":
            return jax.jit(lambda twist: function(shape, camera, pose @ se3_exp(twist)))

        def loss(twist):
            depth, alpha = function(shape, camera, pose @ se3_exp(twist))
            return (depth * alpha).mean()

        return jax.jit(jax.value_and_grad(loss))

    zero = jnp.zeros(6)
    ours, published = compiled(native), compiled(peer.render)
    for got, want in zip(jax.tree.leaves(ours(zero)), jax.tree.leaves(published(zero)), strict=True):
        # Single precision: s is some hundreds at the image's border, and so are the exponents.
        np.testing.assert_allclose(got, want, rtol=2e-3, atol=2e-3 * float(jnp.abs(want).max()))
    shortest = min(seconds(published, zero) for _ in range(5))
    benchmark.pedantic(lambda: jax.block_until_ready(ours(zero)), rounds=15, warmup_rounds=2)
    ratio = shortest / benchmark.stats.stats.min
    benchmark.extra_info["times faster than as published"] = round(ratio, 1)
    print(f"\n{benchmark.group}: {ratio:.1f} times as fast as the formulation as published")


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start
