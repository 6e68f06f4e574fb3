"""The shape: a mixture of Gaussians in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fuzzy_metaballs._check import as_floats, check
from fuzzy_metaballs._pytree import register

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._check import ArrayLike


@dataclass(frozen=True)
class FuzzyMetaballs:
    r"""An object as N Gaussians: Blinn's metaballs with ellipsoids for balls (eqs. 2 and 3).

    Component i has the precision $\Sigma_i^{-1} = L_i L_i^T$ with $L_i = S_i\,\mathrm{diag}(e^{d_i})$, where
    $S_i$ is unit lower triangular and holds the shear. Every leaf may take any real value, so an optimiser
    needs no constraint, and all but `means` and `log_eta` are free of the unit of length up to an offset.

    A pytree: `jax.grad`, `jax.jit` and optax take it as it is, and a batch of shapes of the same size is one
    with stacked leaves under `jax.vmap`. Concrete arrays are checked when it is built; traced ones pass
    unseen.

    Attributes:
        means: (N, 3), the centres, in world units.
        log_diagonal: (N, 3), $d_i$: logarithm of the diagonal of the precision's Cholesky factor (1 /
            length).
        shear: (N, 3), the entries (1, 0), (2, 0), (2, 1) of $S_i$, dimensionless.
        log_weights: (N,), logarithm of the weights $\lambda_i$. The paper's blend divides by their sum, the
            two-parameter blend takes them as they are.
        log_eta: (), logarithm of $\eta$, the rough size of the object in world units (eqs. 9 and 10).
        features: (N, f), what else a component carries, for example its colour: `render` blends it into
            `Image.features` with the weights of the depth. None by default.

    Raises:
        ValueError: a shape does not fit the others, a value is not finite, or there is no component.

    Keselman & Hebert, "Approximate Differentiable Rendering with Algebraic Surfaces" (ECCV 2022), section 3.
    """

    means: Float[Array, "n 3"]
    log_diagonal: Float[Array, "n 3"]
    shear: Float[Array, "n 3"]
    log_weights: Float[Array, " n"]
    log_eta: Float[Array, ""]
    features: Float[Array, "n f"] | None = None

    def __post_init__(self) -> None:
        means = as_floats("means", self.means, (None, 3))
        count = means.shape[0]
        if count == 0:
            raise ValueError("`means` holds no component; a shape needs at least one.")
        leaves = {
            "means": means,
            "log_diagonal": as_floats("log_diagonal", self.log_diagonal, (count, 3)),
            "shear": as_floats("shear", self.shear, (count, 3)),
            "log_weights": as_floats("log_weights", self.log_weights, (count,)),
            "log_eta": as_floats("log_eta", self.log_eta, ()),
        }
        if self.features is not None:
            leaves["features"] = as_floats("features", self.features, (count, None))
        dtype = jnp.result_type(*leaves.values())
        for name, leaf in leaves.items():
            object.__setattr__(self, name, leaf.astype(dtype))

    @classmethod
    def from_precision_cholesky(
        cls,
        means: ArrayLike,
        precision_cholesky: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        eta: ArrayLike | None = None,
        features: ArrayLike | None = None,
    ) -> FuzzyMetaballs:
        """Builds a shape from lower Cholesky factors of the precisions.

        Args:
            means: (N, 3), in world units.
            precision_cholesky: (N, 3, 3), lower triangular with positive diagonal, in 1 / world units.
            weights: (N,), positive; all 1 / N by default.
            eta: the rough size of the object; by default the root mean square deviation of the mixture per
                axis.
            features: (N, f), see the class.

        Raises:
            ValueError: a factor is not lower triangular with positive diagonal, or a weight is not positive.
        """
        means = as_floats("means", means, (None, 3))
        count = means.shape[0]
        factors = as_floats("precision_cholesky", precision_cholesky, (count, 3, 3))
        check(
            "precision_cholesky's diagonal",
            factors,
            lambda d: d > 0,
            "be positive",
            of=lambda f: np.diagonal(f, axis1=1, axis2=2),
        )
        check(
            "precision_cholesky above its diagonal",
            factors,
            lambda u: u == 0,
            "be 0 (a lower triangular factor)",
            of=lambda f: f[:, [0, 0, 1], [1, 2, 2]],
        )
        if weights is None:
            weights = np.full(count, 1 / max(count, 1), means.dtype)
        weights = as_floats("weights", weights, (count,))
        check("weights", weights, lambda w: w > 0, "be positive (leave the component out instead)")
        if features is not None:
            features = as_floats("features", features, (count, None))
        shape = cls(*_leaves(means, factors, weights), features=features)
        if eta is None:
            return shape
        eta = as_floats("eta", eta, ())
        check("eta", eta, lambda e: e > 0, "be positive")
        return replace(shape, log_eta=jnp.log(eta))

    @classmethod
    def from_covariances(
        cls,
        means: ArrayLike,
        covariances: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        eta: ArrayLike | None = None,
        features: ArrayLike | None = None,
    ) -> FuzzyMetaballs:
        """Builds a shape from a Gaussian mixture, for example one that scikit-learn has fitted.

        Args:
            means: (N, 3), in world units.
            covariances: (N, 3, 3), symmetric positive definite, in squared world units.
            weights: (N,), positive; all 1 / N by default. Only the two-parameter blend depends on their sum:
                it wants weights near 1 each, a mixture's sum to 1.
            eta: the rough size of the object; by default the root mean square deviation of the mixture per
                axis.
            features: (N, f), see the class.

        Raises:
            ValueError: a covariance is not symmetric positive definite, or a weight is not positive.

        Example:
            >>> import numpy as np
            >>> shape = FuzzyMetaballs.from_covariances(np.zeros((1, 3)), np.diag([4.0, 1.0, 1.0])[None])
            >>> shape.precision_cholesky[0].diagonal().tolist()
            [0.5, 1.0, 1.0]
        """
        means = as_floats("means", means, (None, 3))
        covariances = as_floats("covariances", covariances, (means.shape[0], 3, 3))
        if not isinstance(covariances, Tracer):
            for i, matrix in enumerate(np.asarray(covariances, np.float64)):
                asymmetry = np.abs(matrix - matrix.T).max()
                # A mixture computed in float32 is symmetric to a few roundings.
                if asymmetry > 1e-5 * np.abs(matrix).max() or np.linalg.eigvalsh(matrix)[0] <= 0:
                    raise ValueError(
                        f"`covariances` must be symmetric positive definite; covariances[{i}] has asymmetry "
                        f"{asymmetry:g} and smallest eigenvalue {np.linalg.eigvalsh(matrix)[0]:g}. "
                        "Add a small multiple of the identity."
                    )
        factors = jnp.linalg.cholesky(jnp.linalg.inv(covariances))
        return cls.from_precision_cholesky(means, jnp.tril(factors), weights, eta=eta, features=features)

    @classmethod
    def sphere(
        cls,
        components: int,
        *,
        key: Array,
        radius: float = 1.0,
        center: ArrayLike = (0.0, 0.0, 0.0),
    ) -> FuzzyMetaballs:
        """A blobby sphere to start a reconstruction from: round components at random places in a ball.

        Args:
            components: N, at least 1.
            key: of `jax.random`; draws the centres from the normal distribution.
            radius: about where the sphere ends, in world units.
            center: (3,), in world units.

        Raises:
            ValueError: `components` or `radius` is not positive.
        """
        if components < 1:
            raise ValueError(f"`components` must be at least 1; got {components}.")
        if not radius > 0:
            raise ValueError(f"`radius` must be positive; got {radius:g}.")
        center = as_floats("center", center, (3,))
        # A third of the radius for the spread of the centres and as much for each component: the sum's
        # standard deviation per axis is then about half the radius, which is that of a solid ball (radius /
        # sqrt(5)).
        means = center + radius / 3 * jax.random.normal(key, (components, 3), center.dtype)
        factors = jnp.broadcast_to(jnp.eye(3, dtype=center.dtype) * (3 / radius), (components, 3, 3))
        return cls.from_precision_cholesky(means, factors, jnp.ones(components, center.dtype))

    @property
    def components(self) -> int:
        """N, the number of components."""
        return self.means.shape[-2]

    @property
    def precision_cholesky(self) -> Float[Array, "*batch n 3 3"]:
        r"""$L_i$ of $\Sigma_i^{-1} = L_i L_i^T$: lower triangular, diagonal positive, in 1 / world units."""
        d = jnp.exp(self.log_diagonal)
        zero = jnp.zeros_like(d[..., 0])
        rows = (
            (d[..., 0], zero, zero),
            (self.shear[..., 0] * d[..., 0], d[..., 1], zero),
            (self.shear[..., 1] * d[..., 0], self.shear[..., 2] * d[..., 1], d[..., 2]),
        )
        return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)

    @property
    def covariances(self) -> Float[Array, "*batch n 3 3"]:
        r"""$\Sigma_i$, in squared world units."""
        inverse = _inverse(self.precision_cholesky)
        return jnp.swapaxes(inverse, -1, -2) @ inverse

    @property
    def weights(self) -> Float[Array, "*batch n"]:
        """The mixture's weights: positive, with sum 1."""
        return jax.nn.softmax(self.log_weights, axis=-1)

    @property
    def eta(self) -> Float[Array, "*batch"]:
        """The rough size of the object, in world units."""
        return jnp.exp(self.log_eta)

    def __repr__(self) -> str:
        if isinstance(self.means, (jax.Array, np.ndarray)) and not isinstance(self.means, Tracer):
            eta = f"{float(self.eta):.4g}" if self.log_eta.ndim == 0 else f"shape {self.log_eta.shape}"
            return f"FuzzyMetaballs(components={self.components}, eta={eta}, dtype={self.means.dtype})"
        return f"FuzzyMetaballs(means={self.means})"


def _inverse(factors: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3 3"]:
    identity = jnp.broadcast_to(jnp.eye(3, dtype=factors.dtype), factors.shape)
    return jax.scipy.linalg.solve_triangular(factors, identity, lower=True)


@jax.jit
def _leaves(
    means: Float[Array, "n 3"], factors: Float[Array, "n 3 3"], weights: Float[Array, " n"]
) -> tuple[Array, ...]:
    """The fields of a shape, with eta the root mean square deviation of the mixture per axis."""
    diagonal = jnp.diagonal(factors, axis1=1, axis2=2)
    lower = jnp.stack([factors[:, 1, 0], factors[:, 2, 0], factors[:, 2, 1]], axis=1)
    shear = lower / diagonal[:, jnp.array([0, 0, 1])]
    share = weights / weights.sum()
    # The law of total variance.
    within = (share * (_inverse(factors) ** 2).sum((1, 2))).sum()
    between = (share[:, None] * (means - share @ means) ** 2).sum()
    return means, jnp.log(diagonal), shear, jnp.log(weights), jnp.log((within + between) / 3) / 2


register(FuzzyMetaballs)
