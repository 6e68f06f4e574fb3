"""What the solvers with a sparse matrix have in common."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fem_diff._solvers.assembly import assemble_matrix
from fem_diff._solvers.system import System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from fem_diff._forms.form import Form


class Assembled(System):
    """Keeps one matrix for each sample of the coefficients, in float64 on the CPU.

    Attributes:
        name: of the solver.
        extra: of the package, with the libraries that it needs.
        matrices: of all nodes.
        unknown: the numbers of the nodes to be solved for: the free ones, less one where nothing holds the
            constant. That of the mean zero is found from it.
        reduced: the matrices of those.
    """

    name: ClassVar[str]
    extra: ClassVar[str]

    def __init__(
        self,
        form: Form,
        coefficients: Sequence[Tensor],
        fixed: Tensor,
        batch: tuple[int, ...],
        tol: float,
    ) -> None:
        super().__init__(form, coefficients, fixed, batch, tol)
        sparse = self.library("scipy.sparse")
        self.unknown = self.free.flatten().cpu().numpy().nonzero()[0]
        if self.mean is not None:
            self.unknown = self.unknown[1:]
        self.matrices = [assemble_matrix(form, sample, sparse) for sample in self._samples()]
        self.reduced = [matrix[self.unknown][:, self.unknown] for matrix in self.matrices]
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Makes from the reduced matrices what each solve needs."""

    def library(self, module: str) -> Any:
        """Imports a part of an optional library.

        Raises:
            ImportError: it is missing; with the remedy.
        """
        try:
            return importlib.import_module(module)
        except ImportError:
            raise ImportError(
                f'solver="{self.name}" needs {module.partition(".")[0]}. '
                f'Install it with: pip install "fem-diff[{self.extra}]"'
            ) from None

    def _samples(self) -> list[list[np.ndarray]]:
        """The coefficients of each matrix, with the weights of the rule."""
        arrays = [
            c.expand(-1, *self.form.tables_of(term).weights.shape).double().cpu().numpy()
            for term, c in zip(self.form.terms, self.weighted, strict=True)
        ]
        count = max(map(len, arrays))
        return [[array[k % len(array)] for array in arrays] for k in range(count)]

    def apply(self, u: Float[Tensor, "samples *nodes"]) -> Float[Tensor, "samples *nodes"]:
        """K u, with the rows and columns of fixed nodes."""
        rows = u.flatten(1).double().cpu().numpy()
        out = [self.matrices[k % len(self.matrices)] @ row for k, row in enumerate(rows)]
        return torch.from_numpy(np.array(out)).to(u).view_as(u)
