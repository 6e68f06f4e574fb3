"""The one place where Open3D is imported: mesh files, decimation and ICP."""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads vertices (M, 3) and triangles (K, 3) from a file; vertices at the same place become one.

    Raises:
        ValueError: the file holds no triangle mesh, or is a PLY file that holds fewer faces than it declares.
    """
    mesh = _open3d().io.read_triangle_mesh(str(path))
    if not mesh.has_triangles():
        raise ValueError(f"{path} holds no triangle mesh that Open3D can read; take it out of the folder.")
    if len(mesh.triangles) < (declared := _declared_faces(path)):  # Open3D keeps what came before the fault
        raise ValueError(
            f"{path}: {len(mesh.triangles)} of its {declared} faces can be read; it is damaged. "
            "Fetch it again."
        )
    mesh.remove_duplicated_vertices()
    mesh.remove_unreferenced_vertices()
    return np.asarray(mesh.vertices).copy(), np.asarray(mesh.triangles).astype(np.int64)


def _declared_faces(path: Path) -> int:
    """What the header of a PLY file says; 0 for other formats."""
    with path.open("rb") as file:
        header = file.read(1 << 16).partition(b"end_header")[0]
    match = re.search(rb"^element face (\d+)", header, re.MULTILINE) if header.startswith(b"ply") else None
    return int(match[1]) if match else 0


def decimate(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Simplifies a mesh to about `count` faces by quadric error metrics (Garland and Heckbert)."""
    mesh = _mesh(vertices, faces).simplify_quadric_decimation(count)
    return np.asarray(mesh.vertices).copy(), np.asarray(mesh.triangles).astype(np.int64)


def icp(
    source: np.ndarray,
    target: np.ndarray,
    *,
    method: Literal["point", "plane"],
    reach: float,
    normals: np.ndarray | None = None,
    iterations: int = 100,
) -> np.ndarray:
    """Moves a cloud onto another by iterated closest points, from the identity.

    Args:
        source: (M, 3), the cloud that moves.
        target: (N, 3).
        method: "point" minimises distances to points, "plane" to the target's tangent planes.
        reach: longest distance of a pair, world units.
        normals: (N, 3), of the target's points; estimated from 12 neighbours where None.
        iterations: at most.

    Returns:
        (4, 4), the motion of `source`.
    """
    o3d = _open3d()
    clouds = [o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points)) for points in (source, target)]
    registration = o3d.pipelines.registration
    if method == "plane":
        if normals is None:
            clouds[1].estimate_normals(o3d.geometry.KDTreeSearchParamKNN(12))
        else:
            clouds[1].normals = o3d.utility.Vector3dVector(normals)
        estimation = registration.TransformationEstimationPointToPlane()
    else:
        estimation = registration.TransformationEstimationPointToPoint()
    criteria = registration.ICPConvergenceCriteria(max_iteration=iterations)
    found = registration.registration_icp(*clouds, reach, np.eye(4), estimation, criteria)
    return np.asarray(found.transformation).copy()


def _mesh(vertices: np.ndarray, faces: np.ndarray) -> Any:
    o3d = _open3d()
    return o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices), o3d.utility.Vector3iVector(faces.astype(np.int32))
    )


def _open3d() -> Any:
    """Open3D's wheel needs libusb, for depth cameras; bare machines lack it, so a wheel brings it."""
    import libusb_package

    library = libusb_package.get_library_path()
    if library is not None:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    import open3d

    return open3d
