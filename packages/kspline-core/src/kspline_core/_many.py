"""Signals of different lengths, fitted side by side."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from kspline_core import _check
from kspline_core._fit import fit
from kspline_core._native import thread_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from kspline_core._spline import KSpline

OF_EACH = ("x", "weights", "fixed", "forbidden")
OF_ALL = ("missing", "channels", "min_size", "method")
PATIENCE = 0.1  # seconds between two looks at the time


class _StoppedError(Exception):
    """Ends the fits that still run when one has failed, or the caller wants no more."""


def fit_many(
    signals: Sequence[ArrayLike],
    pieces: int | Sequence[int],
    degree: int = 0,
    *,
    threads: int | None = None,
    progress: Callable[[float], object] | None = None,
    **options: Any,
) -> list[KSpline]:
    """Fits signals of different lengths: `fit` for each, shared out among threads.

    Args:
        signals: one array for each signal, as `y` of `fit`.
        pieces: number of pieces, one for all signals or one for each.
        degree: of the polynomials, 0 to 3.
        threads: at most this many signals are fitted at once; None: as many as the process may use cores.
        progress: called with the fraction of signals done, on the calling thread; an exception in it ends
            all fits, as Ctrl-C does.
        **options: as for `fit`. `missing`, `channels`, `min_size` and `method` hold for all signals; `x`,
            `weights`, `fixed` and `forbidden` are sequences with one entry (or None) for each.

    Returns:
        The splines, in the order of the signals; each is what `fit` returns for that signal alone.

    Raises:
        TypeError: an option is not known, or as by `fit`, with the signal named.
        ValueError: a sequence has another length than `signals`, or as by `fit`, with the signal named.

    Example:
        >>> from kspline_core import fit_many
        >>> [spline.breakpoints.tolist() for spline in fit_many([[0, 0, 1], [2, 2, 5, 5, 5]], pieces=2)]
        [[0, 2, 3], [0, 2, 5]]
    """
    signals = list(signals)
    unknown = sorted(options.keys() - {*OF_EACH, *OF_ALL})
    if unknown:
        known = ", ".join((*OF_EACH, *OF_ALL))
        raise TypeError(f"`fit_many` has no option `{unknown[0]}`; it has {known}, threads and progress.")
    _check.callback("progress", progress)
    workers = thread_count(None if threads is None else _check.integer("threads", threads, 1))
    each = {
        name: _one_each(name, options[name], len(signals))
        for name in OF_EACH
        if options.get(name) is not None
    }
    shared = {name: options[name] for name in OF_ALL if name in options}
    counts = [pieces] * len(signals) if isinstance(pieces, int) else _one_each("pieces", pieces, len(signals))
    stopped = threading.Event()

    def go_on(_fraction: float) -> None:
        if stopped.is_set():
            raise _StoppedError

    def fit_one(i: int) -> KSpline:
        go_on(0.0)
        own = {name: values[i] for name, values in each.items()}
        try:
            return fit(signals[i], counts[i], degree, threads=1, progress=go_on, **shared, **own)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"signals[{i}]: {error}") from error

    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(signals)))) as pool:
        try:
            jobs = [pool.submit(fit_one, i) for i in range(len(signals))]
            waiting = set(jobs)
            while waiting:
                done, waiting = wait(waiting, timeout=PATIENCE, return_when=FIRST_EXCEPTION)
                for job in done:
                    job.result()
                if progress is not None:
                    progress(1 - len(waiting) / len(jobs))
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [job.result() for job in jobs]


def _one_each(name: str, values: Any, count: int) -> list[Any]:
    try:
        entries = list(values)
    except TypeError:
        kind = type(values).__name__
        raise TypeError(f"`{name}` must hold one entry for each signal; got a {kind}.") from None
    if len(entries) != count:
        raise ValueError(
            f"`{name}` must hold one entry for each of the {count} signals; got {len(entries)} entries."
        )
    return entries
