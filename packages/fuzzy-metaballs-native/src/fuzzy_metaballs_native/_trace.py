"""`trace` of `fuzzy_metaballs`, its sums over components done in C++."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from fuzzy_metaballs_native._native import core

if TYPE_CHECKING:
    from jaxtyping import Array, Float

EMPTY = -1e4
"""Logarithm of the mass on a ray that has nothing in front of the camera, as in `fuzzy_metaballs`."""


@runtime_checkable
class Shape(Protocol):
    """What is read of a `fuzzy_metaballs.FuzzyMetaballs`."""

    @property
    def means(self) -> Array: ...
    @property
    def precision_cholesky(self) -> Array: ...
    @property
    def eta(self) -> Array: ...


@runtime_checkable
class Blend(Protocol):
    """What is read of a blend of `fuzzy_metaballs`."""

    @property
    def quality(self) -> float: ...
    @property
    def depth(self) -> float: ...
    @property
    def ordered(self) -> bool: ...
    def log_mass(self, shape: Shape) -> Array: ...
    def log_quality(self, shape: Shape) -> Array: ...


class _Settings(NamedTuple):
    """What is known before anything runs."""

    quality: float
    instruction_set: int
    threads: int


class _Scene(NamedTuple):
    """The kernel's arguments in units of the object's size, from its centre; `kernel.hpp` has the order."""

    table: Float[Array, "n columns"]
    feet: Float[Array, "3 rays"]
    directions: Float[Array, "3 rays"]
    start: Float[Array, " rays"]
    depth: Float[Array, ""]


class _Sums(NamedTuple):
    """All that is kept of a ray between the two passes."""

    depth: Float[Array, " rays"]
    log_mass: Float[Array, " rays"]
    log_weight: Float[Array, " rays"]
    features: Float[Array, "f rays"]


def instruction_sets() -> list[str]:
    """The instruction sets for which the kernel is compiled and that this machine has, the fastest first."""
    return core.instruction_sets()


def trace(
    shape: Shape,
    origins: Float[Array, "rays 3"],
    directions: Float[Array, "rays 3"],
    features: Float[Array, "n f"],
    intersection: str,
    blend: Blend,
    chunk_size: int = 0,
    *,
    instruction_set: str | None = None,
    threads: int = 0,
) -> tuple[Float[Array, " rays"], Float[Array, " rays"], Float[Array, "rays f"]]:
    r"""Meets every ray with every component by the linear rule, and blends; with gradients in everything.

    The same as `fuzzy_metaballs`' own `trace`: for each ray $o + t v$ and component i,
    $$t_i = \frac{v^T \Sigma_i^{-1} (\mu_i - o)}{v^T \Sigma_i^{-1} v}, \quad
    s_i = |L_i^T (o + t_i v - \mu_i)|^2, \quad
    w_i \propto g_i \exp(\beta_q (c_i - s_i / 2) - \beta_d t_i / \eta),$$
    with $g_i$ the smooth share of the component in front of the camera. Shares below e^-25 (single) or e^-46
    (double precision) of a ray's sum count as 0: less than the sum's own rounding. Works on a CPU only, under
    `jit`, `grad` and `vmap` (a batch is a loop); there is no forward-mode derivative. Time grows with rays
    times N, memory with rays + N.

    Args:
        shape: the mixture.
        origins: world units.
        directions: their unit is that of t.
        features: (N, f), blended with the weights $w_i$.
        intersection: "linear"; the other rules are not in this kernel.
        blend: the constants.
        chunk_size: not looked at; the kernel has blocks of its own.
        instruction_set: one of `instruction_sets()`, by default the first. Results differ in rounding.
        threads: at most so many of XLA's; all of them by default. Results do not depend on it.

    Returns:
        For each ray the depth t, 0 where nothing lies in front; the logarithm of $\sum_i g_i \exp(m_i - s_i /
        2)$, -1e4 there; the blended features.

    Raises:
        ValueError: another rule or a blend by order is asked for, this machine does not have the instruction
            set, or `threads` is negative.
        TypeError: the arrays are neither all float32 nor all float64.

    Keselman & Hebert, "Approximate Differentiable Rendering with Algebraic Surfaces" (ECCV 2022), section 4.
    """
    del chunk_size
    if intersection != "linear":
        raise ValueError(
            f"`intersection` must be 'linear' with backend='native'; got {intersection!r}. Use backend='xla'."
        )
    if blend.ordered:
        raise ValueError(
            "`blend` must be 'paper' or 'two_parameter' with backend='native', not compositing by order. Use "
            "backend='xla'."
        )
    found = instruction_sets()
    if instruction_set is not None and instruction_set not in found:
        raise ValueError(
            f"`instruction_set` must be one of {', '.join(map(repr, found))} on this machine; "
            f"got {instruction_set!r}."
        )
    if threads < 0:
        raise ValueError(f"`threads` must be at least 0 (all of XLA's); got {threads}.")
    dtypes = {str(x.dtype) for x in (shape.means, origins, directions, features)}
    if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
        raise TypeError(f"the arrays must be all float32 or all float64; got {', '.join(sorted(dtypes))}.")

    unit = jax.lax.stop_gradient(shape.eta)
    center = jax.lax.stop_gradient(shape.means.mean(0))
    factors = shape.precision_cholesky * unit
    offsets = jnp.einsum("nij,ni->nj", factors, (shape.means - center) / unit, precision="highest")
    columns = [
        factors[:, [0, 1, 2, 1, 2, 2], [0, 0, 0, 1, 1, 2]],
        offsets,
        blend.log_mass(shape)[:, None],
        blend.quality * blend.log_quality(shape)[:, None],
        features,
    ]
    # Coordinate by coordinate: a sum over the last three is slow.
    o, v = tuple(((origins - center) / unit).T), tuple(directions.T)
    # Any start gives the same answer, so no gradient needs to pass through the choice of this one.
    start = jax.lax.stop_gradient(-_inner(o, v) / _inner(v, v))
    scene = _Scene(
        jnp.concatenate(columns, axis=1),
        jnp.stack([o_k + start * v_k for o_k, v_k in zip(o, v, strict=True)]),
        jnp.stack(v),
        start,
        blend.depth * unit / shape.eta,
    )
    number = 0 if instruction_set is None else found.index(instruction_set)
    depth, log_mass, blended = _blend_rays(_Settings(blend.quality, number, threads), scene)
    return depth * unit, log_mass, blended.T


def _inner(u: tuple[Array, ...], v: tuple[Array, ...]) -> Array:
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def _call(
    direction: str, settings: _Settings, results: tuple[tuple[int, ...], ...], *arguments: Array
) -> list[Array]:
    dtype = arguments[0].dtype
    call = jax.ffi.ffi_call(
        f"fuzzy_metaballs_{direction}_{dtype}",
        tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in results),
        vmap_method="sequential",
    )
    return jax.tree.leaves(call(*arguments, **settings._asdict()))


def _forward(settings: _Settings, scene: _Scene) -> _Sums:
    rays = scene.start.shape
    planes = (scene.table.shape[1] - 11, *rays)
    depth, mass, mass_unit, weight, weight_unit, features = _call(
        "forward", settings, (*(rays,) * 5, planes), *scene
    )
    # The logarithms are taken here, where XLA has them vectorised. `!=` and not `>`: a NaN passes.
    seen = weight != 0

    def logarithm(value: Array, unit: Array, empty: float) -> Array:
        return jnp.where(seen, jnp.log(jnp.where(seen, value, 1.0)) + unit, empty)

    return _Sums(depth, logarithm(mass, mass_unit, EMPTY), logarithm(weight, weight_unit, 0.0), features)


def _outputs(sums: _Sums) -> tuple[Array, Array, Array]:
    return sums.depth, sums.log_mass, sums.features


def _blend_all(settings: _Settings, scene: _Scene) -> tuple[Array, Array, Array]:
    return _outputs(_forward(settings, scene))


def _blend_rays_forward(settings: _Settings, scene: _Scene):
    sums = _forward(settings, scene)
    return _outputs(sums), (scene, sums)


def _blend_rays_backward(settings: _Settings, kept: tuple[_Scene, _Sums], cotangents: tuple[Array, ...]):
    scene, sums = kept
    table, feet, directions, depth = _call(
        "backward",
        settings,
        (scene.table.shape, scene.feet.shape, scene.directions.shape, ()),
        *scene,
        *sums,
        *cotangents,
    )
    return (_Scene(table, feet, directions, jnp.zeros_like(scene.start), depth),)


_blend_rays = jax.custom_vjp(_blend_all, nondiff_argnums=(0,))
_blend_rays.defvjp(_blend_rays_forward, _blend_rays_backward)
