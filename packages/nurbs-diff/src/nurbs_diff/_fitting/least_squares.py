"""Linear least squares for the control net of a tensor-product surface, polynomial or rational."""

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

    Where several do, the shortest. Two solves with r x n_u and s x n_v matrices instead of one with (r s)
    x (n_u n_v), and no normal equations.
    """
    half = torch.einsum("ir,rsc->isc", inverse_u, points)
    return torch.einsum("js,isc->ijc", inverse_v, half)


def project_rational_net(basis_u: Tensor, basis_v: Tensor, weights: Tensor, points: Tensor) -> Tensor:
    r"""The net that minimises the error of a rational surface with these weights, shape (n_u, n_v, dim).

    The homogeneous net $w P$ solves a linear problem with the matrix $N_i(u_r) N_j(v_s) / W_{rs}$, W the
    weight function. It is no tensor product, but its normal matrix is one contracted with $1 / W^2$: O(r s
    n_u^2) work instead of O(r s n_u^2 n_v^2). Columns are scaled to one, and a ridge of a few roundings keeps
    directions finite that the points do not determine; refinement takes back what both cost.
    """
    n_u, n_v = weights.shape
    reciprocal = (basis_u @ weights @ basis_v.mT).reciprocal()
    pairs_u = torch.einsum("ri,rk->ikr", basis_u, basis_u).flatten(0, 1)
    pairs_v = torch.einsum("sj,sl->sjl", basis_v, basis_v).flatten(1)
    normal = (pairs_u @ reciprocal.square() @ pairs_v).reshape(n_u, n_u, n_v, n_v)
    normal = normal.permute(0, 2, 1, 3).reshape(n_u * n_v, n_u * n_v)
    scale = normal.diagonal().clamp_min(torch.finfo(normal.dtype).tiny).rsqrt().unsqueeze(1)
    ridge = 64 * torch.finfo(normal.dtype).eps * len(normal)
    factor = torch.linalg.cholesky(scale * normal * scale.mT + ridge * torch.eye(len(normal)).to(normal))

    def solve(residuals: Tensor) -> Tensor:
        moments = torch.einsum("ri,rsc,sj->ijc", basis_u, residuals * reciprocal.unsqueeze(-1), basis_v)
        return (scale * torch.cholesky_solve(scale * moments.flatten(0, 1), factor)).reshape(n_u, n_v, -1)

    net = solve(points)
    surface = torch.einsum("ri,ijc,sj->rsc", basis_u, net, basis_v) * reciprocal.unsqueeze(-1)
    return (net + solve(points - surface)) / weights.unsqueeze(-1)
