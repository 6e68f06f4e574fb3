"""Table 5 as printed, and what the spaces allow."""

from __future__ import annotations

DEGREES = (1, 2, 3)
MESHES = (128, 256)
PRINTED: dict[tuple[int | str, int], tuple[float, float]] = {
    ("PINN", 128): (3.72e-4, 0.20e-4),
    ("PINN", 256): (2.63e-4, 0.20e-4),
    (1, 128): (3.32e-5, 0.05e-5),
    (1, 256): (2.57e-5, 0.01e-5),
    (2, 128): (2.16e-5, 0.04e-5),
    (2, 256): (2.79e-5, 0.20e-5),
    (3, 128): (2.37e-5, 0.10e-5),
    (3, 256): (2.59e-5, 0.10e-5),
}
"""Table 5 as printed: error and deviation, by method (PINN or degree) and mesh."""
FLOORS = {
    (1, 128): (2.97e-5, 2.49e-5),
    (1, 256): (7.42e-6, 6.25e-6),
    (2, 128): (6.01e-8, 1.70e-10),
    (2, 256): (7.51e-9, 1.07e-11),
    (3, 128): (8.52e-11, 5.55e-11),
    (3, 256): (5.32e-12, 3.47e-12),
}
"""Error of the Galerkin solution, L2 by quadrature and RMS over the nodes, if 128 counts elements."""
NODE_FLOORS = {
    (1, 128): (127, 3.02e-5, 2.53e-5),
    (1, 256): (255, 7.48e-6, 6.30e-6),
    (2, 128): (64, 4.81e-7, 2.72e-9),
    (2, 256): (128, 6.01e-8, 1.70e-10),
    (3, 128): (42, 7.35e-9, 4.76e-9),
    (3, 256): (85, 4.38e-10, 2.85e-10),
}
"""The same if 128 counts nodes: elements, L2, root mean square."""

H1_FLOORS = {
    (1, 128): 1.574e-2,
    (1, 256): 7.870e-3,
    (2, 128): 4.987e-5,
    (2, 256): 1.247e-5,
    (3, 128): 1.034e-7,
    (3, 256): 1.293e-8,
}
"""Error of the Galerkin solution in H1 by quadrature, if 128 counts elements."""
CASE_FLOORS = {
    ("source", 1): 2.731e-4,
    ("source", 2): 5.499e-6,
    ("source", 3): 1.0425e-7,
    ("diffusivity", 1): 2.699e-5,
    ("diffusivity", 2): 6.012e-8,
    ("diffusivity", 3): 8.52e-11,
}
"""L2 error of the Galerkin solution of the further cases on 128 x 128 elements."""
