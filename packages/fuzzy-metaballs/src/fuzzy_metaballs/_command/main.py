"""The command `fuzzy-metaballs`: what it asks, and what it answers when that cannot be done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import tyro

from fuzzy_metaballs._command import fit, look, pose
from fuzzy_metaballs._command.options import Fit, Mesh, Pose, Render

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
Shapes as a few dozen soft ellipsoids: fit them, look at them, find a camera by them, mesh them.

examples:
  fuzzy-metaballs fit bunny.ply --out bunny.npz                       40 Gaussians inside a closed mesh
  fuzzy-metaballs fit scan.ply --kind surface --out scan.npz          on any mesh, or on a cloud
  fuzzy-metaballs fit masks/ --cameras sparse/0 --out toy.npz         from silhouettes and COLMAP's cameras
  fuzzy-metaballs render bunny.npz --out view.png --eye 0,1,3         depth, alpha and normals
  fuzzy-metaballs pose bunny.npz mask.png --depth depth.npy --fov 45 --start 0,0,3 --out pose.json
  fuzzy-metaballs mesh bunny.npz bunny.stl                            a closed mesh of the model

A fit from masks that is broken off (Ctrl-C) goes on where it was when the same line is given again.
"""
Command = Fit | Render | Pose | Mesh


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 2 (refused), 130 (interrupted)."""
    command: Command = tyro.extras.subcommand_cli_from_dict(
        {"fit": Fit, "render": Render, "pose": Pose, "mesh": Mesh},
        args=list(sys.argv[1:] if arguments is None else arguments) or ["--help"],
        prog="fuzzy-metaballs",
        description=DESCRIPTION,
    )
    try:
        run(command)
    except (ValueError, TypeError, ImportError, OSError) as error:
        print(f"fuzzy-metaballs: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        kept = isinstance(command, Fit) and fit.checkpoint_of(command).exists()
        print(
            "Interrupted. " + ("Give the same line again to go on." if kept else "Nothing was written."),
            file=sys.stderr,
        )
        return 130
    return 0


def run(command: Command) -> None:
    """Does what is asked, and says what was done."""
    if isinstance(command, Fit):
        fit.fit(command)
    elif isinstance(command, Render):
        look.render_model(command)
    elif isinstance(command, Pose):
        pose.find(command)
    else:
        look.mesh_model(command)
