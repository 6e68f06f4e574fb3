"""Adam with the paper's stopping rule, the same for every baseline that descends."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array

    from fuzzy_metaballs import StoppingRule


class Descent(NamedTuple):
    """What was found.

    Attributes:
        parameters: of the last step.
        losses: before each step.
        seconds: the median step times their count: no compilation in it.
    """

    parameters: Any
    losses: np.ndarray
    seconds: float


def descend(
    loss: Callable[[Any, Any, Array, Array], Array],
    parameters: Any,
    data: Any,
    *,
    items: int,
    batch: int,
    steps: int,
    rate: float,
    seed: int,
    stopping: StoppingRule,
    report: Callable[[int, int, float], None],
) -> Descent:
    """Minimises `loss(parameters, data, batch of indices, key)`.

    Args:
        loss: a function at module level, so that it is compiled once for all fits.
        parameters: to start from, a pytree.
        data: handed on to `loss`, a pytree.
        items: what is drawn from without replacement, such as views or rays; each pass in another order.
        batch: of them in a step.
        steps: at most.
        rate: of Adam at the start.
        seed: of the order and of the keys.
        stopping: when the rate falls, and when the descent ends.
        report: called after each step.
    """
    generator, key = np.random.default_rng(seed), jax.random.key(seed)
    moments = optax.scale_by_adam().init(parameters)
    losses: list[float] = []
    seconds: list[float] = []
    drops = last = calm = 0
    order = np.empty(0, int)
    while len(losses) < steps and drops < stopping.drops:
        if len(order) < batch:
            order = generator.permutation(items)
        chosen, order = order[:batch], order[batch:]
        begin = time.perf_counter()
        parameters, moments, value = _step(
            loss,
            parameters,
            moments,
            data,
            jnp.asarray(chosen),
            jax.random.fold_in(key, len(losses)),
            rate * stopping.factor**drops,
        )
        losses.append(float(value))
        seconds.append(time.perf_counter() - begin)
        window = losses[max(last, len(losses) - stopping.window) :]
        calm = calm + 1 if stopping.decreasing(window) < stopping.probability else 0
        if calm == stopping.patience:
            drops, last, calm = drops + 1, len(losses), 0
        report(len(losses), steps, losses[-1])
    return Descent(parameters, np.array(losses), float(np.median(seconds)) * len(losses))


@partial(jax.jit, static_argnums=0)
def _step(loss: Any, parameters: Any, moments: Any, data: Any, batch: Array, key: Array, rate: float):
    value, gradient = jax.value_and_grad(loss)(parameters, data, batch, key)
    updates, moments = optax.scale_by_adam().update(gradient, moments)
    return jax.tree.map(lambda x, u: x - rate * u, parameters, updates), moments, value
