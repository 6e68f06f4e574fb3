"""Which solver runs: where `method="auto"` is decided and a method is refused what it cannot do."""

from __future__ import annotations

# Up to so many samples the dense programme is the faster one, by degree: where the two take about the same
# processor time on noise in 20 pieces, the hardest kind of signal (4096 to 16384 samples measured).
DENSE_UP_TO = (4096, 4096, 16384, 32768)


def choose(method: str, n: int, degree: int, *, channels: bool, marked: bool) -> str:
    """Returns the name of the solver that `method` stands for."""
    if method in ("lagrangian", "greedy"):
        if channels:
            raise ValueError(f"method={method!r} fits signals of one channel. Use method='dense'.")
        if marked:
            raise ValueError(
                f"method={method!r} knows neither `fixed` nor `forbidden` breakpoints. Use method='dense'."
            )
    if method != "auto":
        return method
    return "dense" if n <= DENSE_UP_TO[degree] or channels or marked else "lagrangian"
