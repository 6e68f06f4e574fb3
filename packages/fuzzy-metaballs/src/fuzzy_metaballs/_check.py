"""What every public function asks of its arguments; traced values pass unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from jaxtyping import Array

    ArrayLike: TypeAlias = Array | np.ndarray | Sequence[Any] | float


def as_floats(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> Array:
    """Returns `value` as a floating-point array of the given shape (None: any size), all finite.

    Integers become floats of the default width. Values are looked at only where there are any: a tracer's are
    not known yet.
    """
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise TypeError(f"`{name}` must be real; got {array.dtype}. Convert it to float32 or float64.")
        array = array.astype(float)
    if array.ndim != len(shape) or any(
        want not in (None, have) for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = tuple("any" if size is None else size for size in shape)
        raise ValueError(f"`{name}` must have shape {wanted}; got {array.shape}.")
    check(name, array, np.isfinite, "be finite")
    return array


def check(
    name: str,
    array: Array,
    rule: Callable[[np.ndarray], np.ndarray],
    wanted: str,
    *,
    of: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> None:
    """Raises a ValueError that names the first entry that breaks `rule`; traced arrays pass unseen.

    Args:
        name: what the message calls the values.
        array: holds them.
        rule: from values to booleans of the same shape.
        wanted: completes "must ...".
        of: takes the values from the array, in NumPy so that nothing is compiled for a check.
    """
    if isinstance(array, Tracer):
        return
    values = np.asarray(of(np.asarray(array)))
    good = rule(values)
    if not good.all():
        index = tuple(int(i) for i in np.argwhere(~good)[0])
        place = f"{name}[{', '.join(map(str, index))}]" if index else name
        raise ValueError(f"`{name}` must {wanted}; {place} = {values[index]:g}.")


def check_rigid(name: str, poses: Array) -> None:
    """Raises a ValueError unless `poses`, (4, 4) or (S, 4, 4), are rotations with a translation.

    Traced arrays pass unseen. The last row is not looked at: nothing reads it.
    """
    if isinstance(poses, Tracer):
        return
    values = np.asarray(poses, np.float64)
    for number, axes in enumerate(values.reshape(-1, 4, 4)[:, :3, :3]):
        place = f"{name}[{number}, :3, :3]" if values.ndim == 3 else f"{name}[:3, :3]"
        products = axes.T @ axes
        # Rounding in float32 and long chains of motions leave 1e-3 at most; more is a scale or a shear.
        if not (np.abs(products - np.eye(3)) < 1e-3).all():
            lengths, others = np.sqrt(products.diagonal()), products[[0, 0, 1], [1, 2, 2]]
            raise ValueError(
                f"`{name}` must be a rigid motion; the columns of {place} have the lengths "
                f"{_listed(lengths)} and the scalar products {_listed(others)}, where a rotation's have "
                "1, 1, 1 and 0, 0, 0. Take out scale and shear, or make the pose by `look_at`."
            )
        if not np.linalg.det(axes) > 0:
            raise ValueError(
                f"`{name}` must be a rigid motion; {place} is a reflection, its determinant is -1. Negate "
                "the column of the axis that points the wrong way."
            )


def _listed(numbers: np.ndarray) -> str:
    return ", ".join(f"{number:.3g}" for number in numbers)


def choose(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raises a ValueError unless `value` is one of `known`."""
    if value not in known:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, known))}; got {value!r}.")
