"""Breakpoints that are demanded or forbidden: checked, and put into the form that the core reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kspline_core._native import core

if TYPE_CHECKING:
    from jaxtyping import Float64, UInt8
    from numpy.typing import ArrayLike

FREE, FIXED, FORBIDDEN = range(3)  # `Mark` of the core


def marks(
    fixed: ArrayLike | None, forbidden: ArrayLike | None, batch: tuple[int, ...], n: int
) -> UInt8[np.ndarray, "signals n"] | None:
    """What is asked of every position, one row for all signals or one for each; None: nothing."""
    if fixed is None and forbidden is None:
        return None
    demanded, barred = _mask("fixed", fixed, batch, n), _mask("forbidden", forbidden, batch, n)
    both = demanded & barred
    if both.any():
        *signal, b = (int(i) for i in np.argwhere(both)[0])
        raise ValueError(
            f"`fixed` and `forbidden` contradict each other{_of(signal)}: both hold {b}. Take it out of one."
        )
    rows = np.where(demanded, FIXED, np.where(barred, FORBIDDEN, FREE)).astype(np.uint8)
    return np.ascontiguousarray(rows.reshape(-1, n))


def check_room(
    rows: UInt8[np.ndarray, "rows n"],
    weights: Float64[np.ndarray, "signals channels n"] | None,
    shape: tuple[int, int, int],
    pieces: int,
    min_size: int,
) -> None:
    """Refuses constraints that no partition into `pieces` pieces meets."""
    least, most, left, right = core.room(*shape, weights, rows, min_size).T
    for i in np.flatnonzero((most < pieces) | (least > pieces))[:1]:
        where = _of([int(i)] if shape[0] > 1 else [])
        if most[i] == 0:
            raise ValueError(
                f"`fixed` leaves too little between the breakpoints {left[i]} and {right[i]}{where}: fewer "
                f"than `min_size` = {min_size} samples of positive weight. Take one out or lower "
                "`min_size`."
            )
        if least[i] > pieces:
            raise ValueError(
                f"`fixed` holds {least[i] - 1} breakpoints{where}, but {pieces} pieces have only "
                f"{pieces - 1}. Raise `pieces` to at least {least[i]}."
            )
        raise ValueError(
            f"`pieces` is too large: under `fixed`, `forbidden` and `min_size` = {min_size} at most "
            f"{most[i]} pieces are possible{where}, and {pieces} asked for. Lower `pieces` or forbid less."
        )


def _mask(
    name: str, given: ArrayLike | None, batch: tuple[int, ...], n: int
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Positions as a boolean mask of shape (n,), or (*batch, n)."""
    mask = np.zeros(n, dtype=np.bool_)
    if given is None:
        return mask
    array = np.asarray(given)
    if array.dtype == np.bool_:
        if array.shape not in ((n,), (*batch, n)):
            raise ValueError(
                f"`{name}` as a mask must have the shape of one signal, {(n,)}, or of all, {(*batch, n)}; "
                f"got {array.shape}. Channels share the breakpoints."
            )
        if array[..., 0].any():
            raise ValueError(
                f"`{name}` must not hold 0: every signal starts there. Set {name}[..., 0] = False."
            )
        return array
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(
            f"`{name}` must hold integers (positions) or booleans (a mask); got dtype {array.dtype}."
        )
    if array.ndim != 1:
        raise ValueError(
            f"`{name}` as positions must have one dimension; got shape {array.shape}. To ask "
            "different ones of each signal, pass a boolean mask."
        )
    wrong = (array < 1) | (array >= n)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"`{name}` must lie from 1 to {n - 1}, where a piece can start; {name}[{i}] = {array[i]}. The "
            f"ends 0 and {n} are always breakpoints."
        )
    mask[array.astype(np.intp)] = True
    return mask


def _of(signal: list[int]) -> str:
    return f" (signal {', '.join(map(str, signal))})" if signal else ""
