"""Triangles in space with the parameters they came from: what tessellation returns and files hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor


class TriangleMesh(NamedTuple):
    """A triangle mesh over a parameter domain.

    Attributes:
        vertices: points in space.
        faces: int64, three rows of `vertices` each, counter-clockwise as seen from the side that the normal
            S_u x S_v points to.
        parameters: (u, v) of each vertex.

    >>> import torch
    >>> vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> TriangleMesh(vertices, torch.tensor([[0, 1, 2]]), vertices[:, :2]).faces.shape
    torch.Size([1, 3])
    """

    vertices: Float[Tensor, "v dim"]
    faces: Int[Tensor, "f 3"]
    parameters: Float[Tensor, "v 2"]
