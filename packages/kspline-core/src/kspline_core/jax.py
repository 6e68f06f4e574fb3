"""The k-spline projection as a differentiable JAX function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from kspline_core import _check
from kspline_core._fit import fit
from kspline_core._project import project

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise ImportError('`kspline_core.jax` needs JAX: pip install "kspline-core[jax]".') from error

if TYPE_CHECKING:
    from jax import Array
    from jaxtyping import Float, Real
    from numpy.typing import ArrayLike

__all__ = ["kspline"]


def kspline(
    y: Real[Array, "*batch n"] | ArrayLike,
    pieces: int,
    degree: int = 0,
    *,
    weights: Real[Array, "*#batch n"] | ArrayLike | None = None,
    min_size: int | None = None,
    method: Literal["auto", "dense", "functional", "lagrangian", "greedy"] = "auto",
    threads: int | None = None,
) -> Float[Array, "*batch n"]:
    r"""The values of the best `pieces`-spline of `y`, with the weak Jacobian as derivative.

    Forward, $h = F(y)$ as by `kspline_core.fit` (Cho et al., 2021, eq. 1); backward, $J^T \bar h$ with
    the block projector of Theorem 1. Works under `jit`, `grad` (of any order; the second derivative is
    zero wherever no breakpoint moves) and `vmap`. Computes on the host in float64 through
    `jax.pure_callback`; like every function with a custom VJP it has no forward-mode derivative.

    Args:
        y: signals, float32 or float64.
        pieces: as for `fit`; static under `jit`.
        degree: as for `fit`; static.
        weights: as for `fit`; no gradient flows to them.
        min_size: as for `fit`; static.
        method: as for `fit`; static.
        threads: as for `fit`; static.

    Raises:
        TypeError: `y` is not float32 or float64.
        ValueError: as by `fit`; while tracing what the shapes tell, at run time (wrapped by JAX) what the
            values tell.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from kspline_core.jax import kspline
        >>> jax.grad(lambda y: kspline(y, pieces=2)[3])(jnp.array([0.0, 0.0, 3.0, 4.0])).tolist()
        [0.0, 0.0, 0.5, 0.5]
    """
    signal = jnp.asarray(y)
    if signal.dtype not in (jnp.float32, jnp.float64):
        raise TypeError(
            f"`y` must be float32 or float64; got {signal.dtype}. Convert it with y.astype(jnp.float32)."
        )
    settings = _check.settings(signal.shape, pieces, degree, min_size, method, threads)
    if weights is not None:
        weights = jnp.asarray(weights)
        _check.weights_shape(weights.shape, signal.shape)
        weights = jnp.broadcast_to(weights, signal.shape)
    return cast("tuple[Array, Array]", _fit(signal, weights, settings))[0]


# A forward rule calls the function it belongs to, not the callback: so it can itself be differentiated.


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _fit(y: Array, weights: Array | None, settings: _check.Settings) -> tuple[Array, Array]:
    """Values and breakpoints of the fit; the derivative of the values is `_project`."""

    def compute(y: ArrayLike, weights: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
        w = None if weights is None else np.asarray(weights)
        spline = fit(np.asarray(y), weights=w, **settings._asdict())
        return spline.values, spline.breakpoints.astype(np.int32)

    values = jax.ShapeDtypeStruct(y.shape, y.dtype)
    breakpoints = jax.ShapeDtypeStruct((*y.shape[:-1], settings.pieces + 1), jnp.int32)
    return jax.pure_callback(compute, (values, breakpoints), y, weights, vmap_method="broadcast_all")


def _fit_forward(
    y: Array, weights: Array | None, settings: _check.Settings
) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
    fitted = cast("tuple[Array, Array]", _fit(y, weights, settings))
    return fitted, (fitted[1], weights)


def _fit_backward(
    settings: _check.Settings, saved: tuple[Any, ...], grads: tuple[Any, Any]
) -> tuple[Array, None]:
    return _project(grads[0], *saved, settings, True), None


_fit.defvjp(_fit_forward, _fit_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _project(
    v: Any, breakpoints: Array, weights: Array | None, settings: _check.Settings, transposed: bool
) -> Array:
    """The product with the Jacobian or its transpose: linear in `v`, its own derivative."""

    def compute(v: ArrayLike, breakpoints: ArrayLike, weights: ArrayLike | None) -> np.ndarray:
        return project(
            np.asarray(v),
            np.asarray(breakpoints, dtype=np.int64),
            settings.degree,
            None if weights is None else np.asarray(weights),
            transposed=transposed,
            threads=settings.threads,
        )

    shape = jax.ShapeDtypeStruct(v.shape, v.dtype)
    return jax.pure_callback(compute, shape, v, breakpoints, weights, vmap_method="broadcast_all")


def _project_forward(
    v: Any, breakpoints: Array, weights: Array | None, settings: _check.Settings, transposed: bool
) -> tuple[Array, tuple[Any, ...]]:
    return _project(v, breakpoints, weights, settings, transposed), (breakpoints, weights)


def _project_backward(
    settings: _check.Settings, transposed: bool, saved: tuple[Any, ...], grad: Any
) -> tuple[Array, None, None]:
    return _project(grad, *saved, settings, not transposed), None, None


_project.defvjp(_project_forward, _project_backward)
