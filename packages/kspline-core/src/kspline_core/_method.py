"""Which solver runs: where `method="auto"` is decided and a method is refused what it cannot do."""

from __future__ import annotations

# Up to so many samples the dense programme is the faster one, by degree: where the two take about the same
# processor time on noise in 20 pieces, the hardest kind of signal (1024 to 16384 samples measured; with 5
# pieces up to twice as many, with 50 about half as many). Degree 0 was measured before its solver changed.
DENSE_UP_TO = (4096, 1536, 4096, 8192)
# The same for degree 0 where functional pruning applies: at 1000 samples dense took 0.3 to 1.4 times its time
# in 5 to 50 pieces, at 2000 samples 1.1 to 3.8 times (steps, noise and random walks); paths alike.
DENSE_OVER_FUNCTIONAL_UP_TO = 1500
FUNCTIONAL_UP_TO = 2**31 - 1


def choose(method: str, n: int, degree: int, *, min_size: int, channels: bool, marked: bool) -> str:
    """Returns the name of the solver that `method` stands for in `fit`."""
    if method == "auto":
        if channels or marked:
            return "dense"
        if _functional_applies(n, degree, min_size):
            return "dense" if n <= DENSE_OVER_FUNCTIONAL_UP_TO else "functional"
        return "dense" if n <= DENSE_UP_TO[degree] else "lagrangian"
    if method != "dense":
        if channels:
            raise ValueError(f"method={method!r} fits signals of one channel. Use method='dense'.")
        if marked:
            raise ValueError(
                f"method={method!r} knows neither `fixed` nor `forbidden` breakpoints. Use method='dense'."
            )
    if method == "functional":
        _refuse_functional(n, degree, min_size)
    return method


def choose_path(method: str, n: int, degree: int, *, min_size: int, dense_up_to: int) -> str:
    """The same for what takes one signal of one channel: paths and penalised fits."""
    if method in ("lagrangian", "greedy"):
        raise ValueError(
            f"method={method!r} is for a given number of pieces: `fit` has it. Use 'dense' or 'functional'."
        )
    if method == "functional":
        _refuse_functional(n, degree, min_size)
    if method != "auto":
        return method
    return "functional" if n > dense_up_to and _functional_applies(n, degree, min_size) else "dense"


def _functional_applies(n: int, degree: int, min_size: int) -> bool:
    return degree == 0 and min_size == 1 and n <= FUNCTIONAL_UP_TO


def _refuse_functional(n: int, degree: int, min_size: int) -> None:
    if degree > 0:
        raise ValueError(
            f"method='functional' works for degree 0 only; got degree {degree}. Use method='dense'."
        )
    if min_size > 1:
        raise ValueError(
            "method='functional' rests on pieces of any length, and `min_size` forbids some; "
            f"got min_size {min_size}. Use method='dense'."
        )
    if n > FUNCTIONAL_UP_TO:
        raise ValueError(
            f"method='functional' counts samples in 32 bits; got {n} samples. Use method='lagrangian'."
        )
