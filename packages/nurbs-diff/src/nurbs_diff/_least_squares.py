"""Linear least squares for the control net of a tensor-product surface."""

from __future__ import annotations

import torch
from torch import Tensor


def pseudo_inverse(basis: Tensor) -> tuple[Tensor, int]:
    """Moore-Penrose inverse (n, q) of a collocation matrix (q, n) and its numerical rank, by an SVD."""
    left, singular, right = torch.linalg.svd(basis, full_matrices=False)
    threshold = max(basis.shape) * torch.finfo(basis.dtype).eps * singular[0]
    is_kept = singular > threshold
    inverted = torch.where(is_kept, 1 / torch.where(is_kept, singular, 1.0), 0.0)
    return (right.mT * inverted) @ left.mT, int(is_kept.sum())


def project_net(inverse_u: Tensor, inverse_v: Tensor, points: Tensor) -> Tensor:
    r"""The net that minimises $\|B_u X B_v^T - P\|$ in every coordinate: $X = B_u^+ P (B_v^+)^T$.

    Where several do, the shortest.     Two solves with r x n_u and s x n_v matrices instead of one with (r s)
    x (n_u n_v), and no normal equations.
    """
    half = torch.einsum("ir,rsc->isc", inverse_u, points)
    return torch.einsum("js,isc->ijc", inverse_v, half)
