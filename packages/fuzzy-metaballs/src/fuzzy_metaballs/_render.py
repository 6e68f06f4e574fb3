"""Rendering a shape into an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp

from fuzzy_metaballs import _kernel, _reference
from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import as_floats, check_rigid, choose
from fuzzy_metaballs._pytree import register
from fuzzy_metaballs._rules import INTERSECTIONS

if TYPE_CHECKING:
    from types import ModuleType

    from jaxtyping import Array, Float

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._rules import Intersection
    from fuzzy_metaballs._shape import FuzzyMetaballs

BlendName = Literal["paper", "two_parameter", "sorted"]
Backend = Literal["xla", "reference", "native"]


@dataclass(frozen=True)
class Image:
    """What a camera sees of a shape; a pytree.

    Attributes:
        depth: (H, W), along the camera's z axis, in world units. Smooth and defined on every ray, but it
            means a surface only where `alpha` is not small; 0 where the whole shape lies behind the camera.
        alpha_logit: (H, W), log(alpha / (1 - alpha)): what losses should use, for it keeps its digits and its
            gradient where `alpha` rounds to 0 or 1.
        normals: (H, W, 3), unit vectors in camera coordinates (x right, y down, z forward), towards the
            camera; 0 where the whole shape lies behind it.
        features: (H, W, f), the shape's features blended as the depth is; None for a shape without.
    """

    depth: Float[Array, "h w"]
    alpha_logit: Float[Array, "h w"]
    normals: Float[Array, "h w 3"]
    features: Float[Array, "h w f"] | None = None

    @property
    def alpha(self) -> Float[Array, "*batch h w"]:
        """Opacity in [0, 1]: the soft silhouette."""
        return jax.nn.sigmoid(self.alpha_logit)


register(Image)


def render(
    shape: FuzzyMetaballs,
    camera: Camera,
    pose: ArrayLike,
    *,
    intersection: Intersection = "linear",
    blend: BlendName = "paper",
    chunk_size: int | None = None,
    backend: Backend = "xla",
) -> Image:
    r"""Renders depth, alpha and normals, with gradients for geometry, pose and intrinsics.

    Every ray $o + t v$ meets every component where it comes closest to it in Mahalanobis distance (eq. 6),
    $$t_i = \frac{v^T \Sigma_i^{-1} (\mu_i - o)}{v^T \Sigma_i^{-1} v}, \qquad
    s_i = (t_i v - \mu_i + o)^T \Sigma_i^{-1} (t_i v - \mu_i + o).$$
    Depth is the mean of $t_i$ weighted by $w_i$ (eq. 8), and so is the normal, of
    $-\Sigma_i^{-1}(\mu_i - o)$ at unit length. Alpha grows with
    $S = \sum_i \lambda_i \exp(-s_i / 2)$ (eq. 5). A component counts in full from one standard deviation in
    front of the camera on, smoothly less nearer to it, and not at all behind it.

    Rendering is unchanged by a rigid motion of shape and camera together, and by a change of the unit of
    length. Take batches of shapes, poses or cameras with `jax.vmap`; forward-mode derivatives need
    `backend="reference"`.

    Args:
        shape: the mixture.
        camera: the pinhole camera.
        pose: (4, 4), camera to world: a rotation and a translation in world units.
        intersection: "linear" is the rule above; "quadratic" meets the ellipsoid of one standard deviation
            where the ray enters it (and follows the linear rule where it misses), "cubic" the first place
            where the density's gradient is longest. Their derivatives grow towards the ellipsoid's rim, and
            where two roots of the cubic meet, but stay finite.
        blend: "paper" weighs with a mixture's density and has $\alpha = \sigma(1167\,S - 5.155)$, so 0.006 on
            empty rays; "two_parameter" is the authors' later form with free weights and
            $\alpha = 1 - e^{-S}$, so 0 there, and its gradient in `alpha_logit` does not fade with distance;
            "sorted" has the same alpha, and depth from compositing the components front to back on each ray.
        chunk_size: rays taken at a time: memory grows with chunk_size * N. By default 19200 / N on a CPU,
            where the work then stays in its cache, and 65536 elsewhere. The answer does not depend on it.
        backend: "xla" is the fast path; "reference" computes the equations one by one, without chunks;
            "native" is a kernel for CPUs in a wheel of its own.

    Raises:
        ValueError: `pose` is not a rigid motion, or an option is unknown.
        ImportError: the native kernel is asked for and not installed.

    Keselman & Hebert, "Approximate Differentiable Rendering with Algebraic Surfaces" (ECCV 2022), section 4.

    Example:
        >>> from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at
        >>> ball = FuzzyMetaballs.from_covariances([[0.0, 0.0, 0.0]], jnp.eye(3)[None] * 0.01)
        >>> image = render(ball, Camera.from_fov(65, 65, fov=0.5), look_at([0.0, 0.0, -4.0]))
        >>> round(float(image.depth[32, 32]), 4)
        4.0
    """
    choose("intersection", intersection, INTERSECTIONS)
    matrix = as_floats("pose", pose, (4, 4))
    check_rigid("pose", matrix)
    choose("blend", blend, tuple(BLENDS))
    choose("backend", backend, ("xla", "reference", "native"))
    if chunk_size is None:
        chunk_size = default_chunk_size(shape.components)
    elif chunk_size < 1:
        raise ValueError(f"`chunk_size` must be at least 1; got {chunk_size}.")
    return _render(
        shape, camera, matrix, intersection=intersection, blend=blend, chunk_size=chunk_size, backend=backend
    )


def default_chunk_size(components: int) -> int:
    """Rays at a time: on a CPU the planes of pairs stay in the cache, and no stride is a power of two."""
    return max(19200 // components, 80) if jax.default_backend() == "cpu" else 65536


@partial(jax.jit, static_argnames=("intersection", "blend", "chunk_size", "backend"))
def _render(
    shape: FuzzyMetaballs,
    camera: Camera,
    pose: Float[Array, "4 4"],
    *,
    intersection: Intersection,
    blend: BlendName,
    chunk_size: int,
    backend: Backend,
) -> Image:
    rotation, origin = pose[:3, :3], pose[:3, 3]
    directions = (rotation @ camera.rays().reshape(-1, 3).T).T  # coordinates first: faster by far
    origins = jnp.broadcast_to(origin, directions.shape)
    normals = _normals(shape, origin)
    depth, alpha_logit, blended = trace(
        shape,
        origins,
        directions,
        features=normals if shape.features is None else jnp.concatenate([normals, shape.features], axis=1),
        intersection=intersection,
        blend=blend,
        chunk_size=chunk_size,
        backend=backend,
    )
    size = (camera.height, camera.width)
    return Image(
        depth.reshape(size),
        alpha_logit.reshape(size),
        (_unit(blended[:, :3]) @ rotation).reshape(*size, 3),
        None if shape.features is None else blended[:, 3:].reshape(*size, -1),
    )


def trace(
    shape: FuzzyMetaballs,
    origins: Float[Array, "rays 3"],
    directions: Float[Array, "rays 3"],
    *,
    features: Float[Array, "n f"],
    intersection: Intersection = "linear",
    blend: BlendName,
    chunk_size: int,
    backend: Backend = "xla",
) -> tuple[Float[Array, " rays"], Float[Array, " rays"], Float[Array, "rays f"]]:
    """Depth, alpha's logit and blended features of any rays; arguments as in `render`, checked there."""
    law = BLENDS[blend]
    dtype = jnp.result_type(shape.means, origins, directions)
    shape, origins, directions, features = jax.tree.map(
        lambda x: x.astype(dtype), (shape, origins, directions, features)
    )
    if backend == "reference":
        depth, log_mass, blended = _reference.trace(shape, origins, directions, features, intersection, law)
    else:
        kernel = _native() if backend == "native" else _kernel
        depth, log_mass, blended = kernel.trace(
            shape, origins, directions, features, intersection, law, chunk_size
        )
    return depth, law.alpha_logit(log_mass), blended


def _native() -> ModuleType:
    try:
        return import_module("fuzzy_metaballs_native")
    except ModuleNotFoundError as error:
        raise ImportError(
            'backend="native" needs the kernel for CPUs: pip install "fuzzy-metaballs[native]".'
        ) from error


def _normals(shape: FuzzyMetaballs, origin: Float[Array, "3"]) -> Float[Array, "n 3"]:
    """Each component's normal: the direction in which its density grows fastest at the camera, reversed."""
    factors = shape.precision_cholesky
    offset = jnp.einsum("nij,ni->nj", factors, shape.means - origin)
    # The length of the first product is taken out first: precisions are squares and might overflow.
    return _unit(-jnp.einsum("nij,nj->ni", factors, _unit(offset)))


def _unit(vectors: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """Vectors at unit length, the zero vector as it is, with finite gradients for both."""
    square = (vectors**2).sum(-1, keepdims=True)
    zero = square == 0
    return jnp.where(zero, 0.0, vectors / jnp.sqrt(jnp.where(zero, 1.0, square)))
