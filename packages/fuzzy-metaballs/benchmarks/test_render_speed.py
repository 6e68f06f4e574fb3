"""The fast path against the formulation as published: `pytest benchmarks --benchmark-group-by=group`.

Both render with the paper's blend; ours returns normals as well. Each group times the peer and ours one after
the other; the answers are compared first, and the ratio of the shortest times is printed and kept with ours.
"""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import peer
import pytest

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render, se3_exp

SIZES = ((80, 60), (160, 120))
COMPONENTS = 40
SHORTEST: dict[str, float] = {}  # of the peer, by group, within one run


@cache
def scene() -> tuple[FuzzyMetaballs, jax.Array]:
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(COMPONENTS, 3, 3)) * 0.15
    covariances = axes @ axes.transpose(0, 2, 1) + 1e-3 * np.eye(3)
    means = rng.normal(size=(COMPONENTS, 3)) * 0.5
    return FuzzyMetaballs.from_covariances(means, covariances), look_at([0.0, 1.0, -4.0])


def ours(shape, camera, pose):
    image = render(shape, camera, pose)
    return image.depth, image.alpha


def pixels(function, camera, work: str):
    """The compiled function of (shape, twist) to be timed."""
    _, pose = scene()

    def loss(shape, twist):
        depth, alpha = function(shape, camera, pose @ se3_exp(twist))
        return (depth * alpha).mean()

    if work == "forward":
        return jax.jit(lambda shape, twist: function(shape, camera, pose @ se3_exp(twist)))
    return jax.jit(jax.value_and_grad(loss, argnums=1 if work == "pose gradient" else 0))


@pytest.mark.parametrize("work", ["forward", "pose gradient", "shape gradient"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", ["as published", "ours"])
def test_render(benchmark, name, size, work):
    benchmark.group = f"{size[0]} x {size[1]}, {COMPONENTS} components: {work}"
    camera = Camera.from_fov(*size, fov=0.8)
    arguments = scene()[0], jnp.zeros(6)
    compiled = {key: pixels(f, camera, work) for key, f in (("as published", peer.render), ("ours", ours))}
    got, want = (jax.tree.leaves(compiled[key](*arguments)) for key in ("ours", "as published"))
    for a, b in zip(got, want, strict=True):
        # Single precision: s is some hundreds at the image's border, and so are the exponents.
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * float(jnp.abs(b).max()))

    benchmark.pedantic(lambda: jax.block_until_ready(compiled[name](*arguments)), rounds=15, warmup_rounds=2)
    shortest = benchmark.stats.stats.min
    if name == "as published":
        SHORTEST[benchmark.group] = shortest
    elif benchmark.group in SHORTEST:
        ratio = SHORTEST[benchmark.group] / shortest
        benchmark.extra_info["times faster than as published"] = round(ratio, 1)
        print(f"\n{benchmark.group}: {ratio:.1f} times as fast as the formulation as published")
