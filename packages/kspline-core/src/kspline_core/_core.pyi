from collections.abc import Callable

from numpy import float32, float64, int32, int64
from numpy.typing import NDArray

def fit(
    y: NDArray[float64],
    weights: NDArray[float64] | None,
    pieces: int,
    degree: int,
    min_size: int,
    threads: int,
    instruction_set: str = "",
    progress: Callable[[float], object] | None = None,
) -> tuple[NDArray[int64], NDArray[float64], NDArray[float64], NDArray[float64]]: ...
def project(
    v: NDArray[float64],
    breakpoints: NDArray[int64],
    weights: NDArray[float64] | None,
    degree: int,
    transposed: bool,
    threads: int,
) -> NDArray[float64]: ...
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
