from typing import Any

from numpy import float32, float64
from numpy.typing import NDArray

def targets() -> dict[str, Any]: ...  # name -> capsule of an XLA FFI handler
def instruction_sets() -> list[str]: ...  # the fastest first
def exponential(
    x: NDArray[float32] | NDArray[float64], y: NDArray[float32] | NDArray[float64], instruction_set: int
) -> None: ...
