"""Checks of arguments: the rule, the offending value, its place, the remedy."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

MAX_DEGREE = 3
METHODS = ("auto", "dense", "functional", "lagrangian", "greedy")
CLOSEST = 1e-40  # spacing over range of abscissae: its sixth power still is a number


class Settings(NamedTuple):
    """The checked numbers of a fit."""

    pieces: int
    degree: int
    min_size: int
    method: str
    threads: int | None


def settings(
    shape: Sequence[int], pieces: int, degree: int, min_size: int | None, method: str, threads: int | None
) -> Settings:
    """Checks what can be said of a fit before any sample is read."""
    if len(shape) == 0 or shape[-1] == 0:
        raise ValueError(f"`y` must hold at least one sample along its last axis; got shape {tuple(shape)}.")
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(map(repr, METHODS))}; got {method!r}.")
    checked = Settings(
        pieces=integer("pieces", pieces, 1),
        degree=integer("degree", degree, 0, MAX_DEGREE),
        min_size=integer("min_size", 1 if min_size is None else min_size, 1),
        method=method,
        threads=None if threads is None else integer("threads", threads, 1),
    )
    room(checked.pieces, checked.min_size, np.array(shape[-1]))
    return checked


def integer(name: str, value: object, low: int, high: int | None = None) -> int:
    """Returns `value` as an int in [low, high]."""
    try:
        number = operator.index(value)  # pyright: ignore[reportArgumentType]  # raises TypeError, which is the check
    except TypeError:
        kind = type(value).__name__
        raise TypeError(
            f"`{name}` must be an integer; got {value!r} of type {kind}. Pass int(...)."
        ) from None
    if isinstance(value, bool):
        raise TypeError(f"`{name}` must be an integer; got {value!r} of type bool. Pass a number.")
    if number < low or (high is not None and number > high):
        rule = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"`{name}` must be {rule}; got {number}.")
    return number


def callback(name: str, function: object) -> None:
    """Refuses what is neither None nor callable."""
    if function is not None and not callable(function):
        kind = type(function).__name__
        raise TypeError(f"`{name}` must be callable or None; got {function!r} of type {kind}.")


def real(name: str, value: ArrayLike) -> np.ndarray[Any, np.dtype[Any]]:
    """Returns `value` as an array of float32 or float64; integers and booleans become float64."""
    array = np.asarray(value)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    raise TypeError(
        f"`{name}` must hold float32, float64 or integers; got dtype {array.dtype}. Convert it first, "
        f"for example with numpy.asarray({name}, dtype=numpy.float64)."
    )


def finite(name: str, array: np.ndarray[Any, np.dtype[Any]], remedy: str) -> None:
    """Refuses NaN and infinite values."""
    bad = ~np.isfinite(array)
    if bad.any():
        place = np.unravel_index(np.argmax(bad), array.shape)
        index = ", ".join(str(int(i)) for i in place)
        raise ValueError(f"`{name}` must be finite; {name}[{index}] = {array[place]}. {remedy}")


def weights_shape(shape: Sequence[int], signal: Sequence[int]) -> None:
    """Refuses weights that have neither the shape of the signals nor that of one signal."""
    if tuple(shape) not in (tuple(signal), tuple(signal[-1:])):
        raise ValueError(
            f"`weights` must have the shape of `y`, {tuple(signal)}, or of one signal, {tuple(signal[-1:])}; "
            f"got {tuple(shape)}."
        )


def signal_weights(
    weights: ArrayLike | None, shape: Sequence[int]
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Returns `weights` as a contiguous float64 array of `shape`: non-negative and finite."""
    if weights is None:
        return None
    array = real("weights", weights)
    weights_shape(array.shape, shape)
    finite("weights", array, "Use 0 for a missing sample.")
    if (array < 0).any():
        place = np.unravel_index(np.argmax(array < 0), array.shape)
        index = ", ".join(str(int(i)) for i in place)
        raise ValueError(
            f"`weights` must not be negative; weights[{index}] = {array[place]:g}. "
            "Use 0 for a missing sample."
        )
    return np.ascontiguousarray(np.broadcast_to(array, shape), dtype=np.float64)


def drop_missing(
    y: np.ndarray[Any, np.dtype[Any]], weights: np.ndarray[Any, np.dtype[np.float64]] | None, missing: str
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Returns `weights`, with 0 where `y` is NaN and `missing` says to drop."""
    if missing not in ("error", "drop"):
        raise ValueError(f"`missing` must be 'error' or 'drop'; got {missing!r}.")
    if missing == "error" or not (holes := np.isnan(y)).any():
        return weights
    return np.where(holes, 0.0, 1.0 if weights is None else weights)


def abscissae(x: ArrayLike, batch: Sequence[int], n: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Returns `x` as contiguous float64 of shape (n,) or (*batch, n): finite and strictly increasing."""
    array = real("x", x)
    if array.shape not in ((n,), (*batch, n)):
        raise ValueError(
            f"`x` must have the shape of one signal, {(n,)}, or of all, {(*batch, n)}; got {array.shape}. "
            "Channels share their abscissae."
        )
    finite("x", array, "Leave out samples without a place.")
    array = np.ascontiguousarray(array, dtype=np.float64)
    wrong = array[..., 1:] <= array[..., :-1]
    if wrong.any():
        *row, i = (int(k) for k in np.argwhere(wrong)[0])
        a, b = array[(*row, i)], array[(*row, i + 1)]
        place = ", ".join(map(str, row)) + ", " * bool(row)
        raise ValueError(
            f"`x` must be strictly increasing; x[{place}{i}] = {a:g} >= x[{place}{i + 1}] = {b:g}. Sort `x` "
            "and `y` together, and merge samples at one place into their mean, with their number as weight."
        )
    if n > 1 and array.size:
        spacing = np.diff(array / 2, axis=-1).min(axis=-1)  # halves: the range may overflow
        if (spacing < CLOSEST * (array[..., -1] / 2 - array[..., 0] / 2)).any():
            raise ValueError(
                f"`x` has neighbours closer than {CLOSEST:g} of its range, which float64 cannot tell apart "
                "in powers. Merge them into their mean, with their number as weight."
            )
    return array


def room(pieces: int, min_size: int, positive: np.ndarray[Any, np.dtype[Any]]) -> None:
    """Refuses more pieces than the samples (of positive weight) of any signal can hold."""
    counts = positive.ravel()
    need = pieces * min_size
    if counts.size and counts.min() < need:
        signal = "" if counts.size == 1 else f" of signal {int(np.argmin(counts))}"
        raise ValueError(
            f"`pieces` is too large: {pieces} pieces of at least {min_size} sample{'s' * (min_size > 1)} "
            f"need {need} samples of positive weight, but there are {int(counts.min())}{signal}. "
            "Lower `pieces` or `min_size`."
        )
