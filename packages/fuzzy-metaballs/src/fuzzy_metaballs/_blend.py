"""How intersections become one depth and one alpha: the two published sets of constants, and compositing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._shape import FuzzyMetaballs

EMPTY = -1e4
"""Logarithm of the mass on a ray that has nothing in front of the camera."""


@dataclass(frozen=True)
class Blend:
    r"""Weights of the intersections and the law from mass to alpha.

    With Mahalanobis distance squared $s_i$ at depth $t_i$, and $g_i$ the share of component i in front of the
    camera,
    $$w_i \propto g_i \exp\left(\beta_q (-s_i / 2 + c_i) - \beta_d t_i / \eta\right), \qquad
    S = \sum_i g_i \exp(-s_i / 2 + m_i).$$

    Attributes:
        quality: $\beta_q$, weighs how close the ray passes.
        depth: $\beta_d$, weighs how near the intersection is, in units of the object's size.
        mixture: whether weights are a mixture's. If so $m_i = \log\lambda_i$ with weights that sum to 1 and
            $c_i = \log\lambda_i + \log\det L_i$ (the density); else both are `log_weights` as they stand.
        scale: of S in $\alpha = \sigma(\mathrm{scale}\,S + \mathrm{offset})$ (eq. 5); None for
            $\alpha = 1 - e^{-S}$.
        offset: see `scale`.
        ordered: whether the weights are instead those of compositing from front to back, by depth on each
            ray: $w_i \propto (1 - e^{-m}) e^{-M}$ with the mass $m = g_i \exp(-s_i / 2 + m_i)$ and the sum M
            of all masses in front of it. The sum of these weights is $1 - e^{-S}$; neither $\beta$ enters.
    """

    quality: float
    depth: float
    mixture: bool
    scale: float | None = None
    offset: float = 0.0
    ordered: bool = False

    def log_mass(self, shape: FuzzyMetaballs) -> Float[Array, " n"]:
        """The $m_i$."""
        return jax.nn.log_softmax(shape.log_weights) if self.mixture else shape.log_weights

    def log_quality(self, shape: FuzzyMetaballs) -> Float[Array, " n"]:
        """The $c_i$, up to a constant that drops out of the weights, and with it the unit of length."""
        return self.log_mass(shape) + shape.log_diagonal.sum(-1) if self.mixture else shape.log_weights

    def alpha_logit(self, log_mass: Float[Array, "*rays"]) -> Float[Array, "*rays"]:
        r"""$\log(\alpha / (1 - \alpha))$ from $\log S$, keeping digits and gradient near 0 and 1."""
        if self.scale is not None:
            return self.scale * jnp.exp(log_mass) + self.offset
        # log(e^S - 1) = S + log(1 - e^-S).
        return log_opacity(jnp.minimum(log_mass, 30.0)) + jnp.exp(jnp.minimum(log_mass, 30.0))

    @property
    def half_mass(self) -> float:
        """The S at which alpha is 1/2."""
        return math.log(2) if self.scale is None else -self.offset / self.scale


# The constants of the paper's code (July 2022): ln beta = -2.680 (depth), 0.710 (quality), 6.369 (alpha), ln
# of the offset of S = -5.422. Three conversions: (1) the code's eta is the spread of lambda_i mu_i, 1 / N of
# the object's for the N = 40 of all experiments, so the depth constant is multiplied by 40; (2) quality is
# multiplied by h(t) (eq. 10), whose beta_3 = e^-13.692 makes it 1/2 to four digits at every depth below 100
# eta (N = 40), hence the half; (3) the code's alpha is (1 + tanh x) / 2 = sigmoid(2 x).
PAPER = Blend(
    quality=math.exp(0.710) / 2,
    depth=40 * math.exp(-2.680),
    mixture=True,
    scale=2 * math.exp(6.369),
    offset=-2 * math.exp(6.369 - 5.422),
)

# The authors' later code: depth e^2 / (3 standard deviations of the object), quality e^0.25, free weights.
TWO_PARAMETER = Blend(quality=math.exp(0.25), depth=math.exp(2) / 3, mixture=False)

# Classic compositing of components of optical depth m: alpha is that of the two-parameter form.
SORTED = Blend(quality=1.0, depth=0.0, mixture=False, ordered=True)

BLENDS = {"paper": PAPER, "two_parameter": TWO_PARAMETER, "sorted": SORTED}


def log_opacity(log_mass: Float[Array, "*p"]) -> Float[Array, "*p"]:
    r"""$\log(1 - e^{-m})$ from $\log m$, exact where m is tiny or large."""
    mass = jnp.exp(jnp.minimum(log_mass, 30.0))
    small = mass < 0.03
    safe = jnp.where(small, 1.0, mass)
    return jnp.where(
        small,
        jnp.maximum(log_mass, jnp.finfo(log_mass.dtype).min) - mass / 2 + mass**2 / 24 - mass**4 / 2880,
        jnp.log(-jnp.expm1(-safe)),
    )
