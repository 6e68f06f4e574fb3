from collections.abc import Callable

from numpy import float32, float64, int32, int64, uint8
from numpy.typing import NDArray

def fit(
    y: NDArray[float64],  # (signals, channels, n)
    weights: NDArray[float64] | None,  # the same
    pieces: int,
    degree: int,
    min_size: int,
    threads: int,
    instruction_set: str = "",
    progress: Callable[[float], object] | None = None,
    x: NDArray[float64] | None = None,  # (1 or signals, n)
    marks: NDArray[uint8] | None = None,  # (1 or signals, n)
    method: str = "dense",
) -> tuple[NDArray[int64], NDArray[float64], NDArray[float64], NDArray[float64], NDArray[float64]]: ...
def room(
    count: int,
    channels: int,
    length: int,
    weights: NDArray[float64] | None,
    marks: NDArray[uint8],
    min_size: int,
) -> NDArray[int64]: ...
def project(
    v: NDArray[float64],  # (repeats, signals, channels, n)
    breakpoints: NDArray[int64],  # (signals, pieces + 1)
    weights: NDArray[float64] | None,  # (signals, channels, n)
    degree: int,
    transposed: bool,
    threads: int,
    x: NDArray[float64] | None = None,  # (1 or signals, n)
) -> NDArray[float64]: ...
def fit_path(
    y: NDArray[float64],  # (n,), as are `weights` and `x`
    weights: NDArray[float64] | None,
    x: NDArray[float64] | None,
    max_pieces: int,
    degree: int,
    min_size: int,
    method: str,
    progress: Callable[[float], object] | None = None,
) -> tuple[NDArray[int64], NDArray[float64]]: ...
def fit_penalized(
    y: NDArray[float64],
    weights: NDArray[float64] | None,
    x: NDArray[float64] | None,
    penalty: float,
    degree: int,
    min_size: int,
    method: str,
    progress: Callable[[float], object] | None = None,
) -> NDArray[int64]: ...
def fit_given(
    y: NDArray[float64],
    weights: NDArray[float64] | None,
    x: NDArray[float64] | None,
    breakpoints: NDArray[int64],
    degree: int,
) -> tuple[NDArray[float64], NDArray[float64], NDArray[float64]]: ...
def instruction_sets() -> list[str]: ...
def label_regions(
    image: NDArray[float32] | NDArray[float64],
    levels: list[float],
    groups: NDArray[int64] | None,
    diagonal: bool,
    min_size: int,
    threads: int,
) -> NDArray[int32]: ...
def project_regions(
    product: str,
    v: NDArray[float64],
    labels: NDArray[int32],
    weights: NDArray[float64] | None,
    count: int,
    degree: int,
    threads: int,
) -> NDArray[float64]: ...
