r"""What it means that a ray meets a component: the three rules of section 4.1.

In whitened coordinates, where the component is a unit ball, the ray passes its middle at the squared distance
$s_0 = |r|^2$. The rules differ in how many standard deviations $u$ behind that point the intersection lies:
it has the depth $t = t_0 + u / \sqrt a$ with $a = v^T \Sigma^{-1} v$, and the distance $s = s_0 + u^2$.

| rule | the intersection is | u |
|---|---|---|
| linear | where the density is largest (eq. 6) | 0 |
| quadratic | where the ray enters the ellipsoid of one standard deviation | $-\sqrt{\max(1 - s_0, 0)}$ |
| cubic | the first place where the density's gradient is longest (eq. 7) | the smallest root below |

With $x = t v - \mu$, the squared length of the gradient is $e^{-s} |\Sigma^{-1} x|^2$. Along the ray
$|\Sigma^{-1} x|^2 = g_2 (h_0 + 2 h_1 u + u^2)$, where $w = \Sigma^{-1} v$, $g = \Sigma^{-1} x$ at $u = 0$,
$g_2 = w \cdot w / a$, $h_0 = g \cdot g / g_2$, $h_1 = g \cdot w / (\sqrt a g_2)$. Its derivative is 0 where
$$f(u) = u^3 + 2 h_1 u^2 + (h_0 - 1) u - h_1 = 0.$$
That is the paper's cubic about the linear rule's point and in standard deviations, which keeps its digits. In
print, $m$ and $r$ are $\Sigma \mu$ and $\Sigma v$; they must be $\Sigma^{-1} \mu$ and $\Sigma^{-1} v$.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

Intersection = Literal["linear", "quadratic", "cubic"]
INTERSECTIONS = ("linear", "quadratic", "cubic")

FLAT = 0.03
"""Where two roots of the cubic meet, f' is 0 and the root has no derivative: f' counts as at least this."""

_STEPS = 6  # of Newton: from a third to the last digit of float64
_HUGE = 1e9


def meet(
    intersection: Intersection,
    q: tuple[Float[Array, "n rays"], ...],
    y: tuple[Float[Array, "n rays"], ...],
    factors: Float[Array, "3 n 3"],
) -> tuple[Float[Array, "n rays"], Float[Array, "n rays"], Float[Array, "n rays"]]:
    r"""Depth $t$, half the squared distance $s / 2$, and $a$ of every pair of a component and a ray.

    Args:
        intersection: the rule.
        q: three planes, $L^T v$: the whitened directions.
        y: three planes, $L^T (\mu - o)$: the whitened centres from the rays' origins.
        factors: the rows of $L^T$.
    """
    tau, half, a = closest(q, y)
    if intersection != "cubic":
        return *displace(intersection, tau, half, a), a
    r = (y[0] - tau * q[0], y[1] - tau * q[1], y[2] - tau * q[2])
    # A thin plate's r is a small difference; what rounding left of q in it is 0, and so is its derivative.
    rest = jax.lax.stop_gradient(inner(r, q) / a)
    tau = tau + rest
    r = (r[0] - rest * q[0], r[1] - rest * q[1], r[2] - rest * q[2])
    w, g = (tuple(inner(factors[:, :, i, None], x) for i in range(3)) for x in (q, r))
    w_w = inner(w, w)
    h1 = -inner(g, w) * jnp.sqrt(a) / w_w
    # Cauchy and Schwarz, which a rounding may break.
    h0 = jnp.maximum(inner(g, g) * a / w_w, h1 * h1)
    u = smallest_root(h0, h1)
    return tau + u / jnp.sqrt(a), half + u * u / 2, a


def closest(
    q: tuple[Float[Array, "n rays"], ...], y: tuple[Float[Array, "n rays"], ...]
) -> tuple[Float[Array, "n rays"], Float[Array, "n rays"], Float[Array, "n rays"]]:
    r"""Depth, half the squared distance and $a$ where the ray passes nearest to the component's middle.

    $s_0 = |y \times q|^2 / a$: a sum of squares, so nothing cancels, however thin the component.
    """
    a = inner(q, q)
    cross = (y[1] * q[2] - y[2] * q[1], y[2] * q[0] - y[0] * q[2], y[0] * q[1] - y[1] * q[0])
    return inner(y, q) / a, inner(cross, cross) / (2 * a), a


def displace(
    intersection: Literal["linear", "quadratic"],
    tau: Float[Array, "n rays"],
    half: Float[Array, "n rays"],
    a: Float[Array, "n rays"],
) -> tuple[Float[Array, "n rays"], Float[Array, "n rays"]]:
    """Depth and half the squared distance of a rule that knows no more of the pair than `closest` says."""
    if intersection == "linear":
        return tau, half
    s = 2 * half
    inside = s < 1
    u = -jnp.where(inside, jnp.sqrt(jnp.where(inside, 1 - s, 1.0)), 0.0)
    return tau + u / jnp.sqrt(a), jnp.maximum(s, 1.0) / 2


@jax.custom_jvp
def smallest_root(h0: Float[Array, "*p"], h1: Float[Array, "*p"]) -> Float[Array, "*p"]:
    r"""The smallest root of $f(u) = u^3 + 2 h_1 u^2 + (h_0 - 1) u - h_1$ for $h_0 \ge h_1^2$; never NaN.

    Measured by its distance $d \ge 0$ from a place of $f$ it solves $d^3 + A d^2 + B d = R$ with nothing
    negative: from the maximum to the left if $f \ge 0$ there, else from the minimum to the right ($B = 0$);
    from the inflection where there is neither ($A = 0$). The left side is convex, so Newton's method falls to
    the root from above, and one of the terms alone gives a start within a third of it, also where roots meet.
    The derivative is that of the implicit function, with $f'$ at least `FLAT`.
    """
    h1 = jnp.clip(h1, -_HUGE, _HUGE)  # no cube overflows; such a component weighs nothing
    h0 = jnp.minimum(h0, _HUGE * _HUGE)
    discriminant = 4 * h1 * h1 - 3 * (h0 - 1)
    wavy = discriminant > 0
    width = jnp.sqrt(jnp.maximum(discriminant, 0.0))
    top = (-2 * h1 - width) / 3
    is_left = wavy & (_cubic(top, h0, h1) >= 0)
    place = jnp.where(is_left, top, (-2 * h1 + width) / 3)  # the inflection where width is 0
    value = _cubic(place, h0, h1)
    side = jnp.where(value > 0, -1.0, 1.0).astype(value.dtype)
    rest, bend, slant = jnp.abs(value), width, jnp.maximum(-discriminant, 0.0) / 3
    tiny = jnp.finfo(value.dtype).tiny
    start = jnp.minimum(jnp.cbrt(rest), jnp.sqrt(rest / jnp.maximum(bend, tiny)))
    start = jnp.minimum(start, rest / jnp.maximum(slant, tiny))

    def improve(_: Any, d: Array) -> Array:
        excess = ((d + bend) * d + slant) * d - rest
        return d - excess / jnp.maximum((3 * d + 2 * bend) * d + slant, tiny)

    return place + side * jnp.maximum(jax.lax.fori_loop(0, _STEPS, improve, start), 0.0)


@smallest_root.defjvp
def _smallest_root_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Float[Array, "*p"], Float[Array, "*p"]]:
    h0, h1 = primals
    u = smallest_root(h0, h1)
    slope = jnp.maximum(_slope(u, h0, h1), FLAT)
    return u, -(u * tangents[0] + (2 * u * u - 1) * tangents[1]) / slope


def _cubic(u: Array, h0: Array, h1: Array) -> Array:
    return ((u + 2 * h1) * u + (h0 - 1)) * u - h1


def _slope(u: Array, h0: Array, h1: Array) -> Array:
    return (3 * u + 4 * h1) * u + (h0 - 1)


def inner(u: tuple[Array, ...] | Array, v: tuple[Array, ...] | Array) -> Array:
    """The inner product of vectors given by their three coordinates."""
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
