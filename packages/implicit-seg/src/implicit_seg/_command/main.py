"""The command `implicit-seg`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import tyro

from implicit_seg._command.options import Evaluate, Export, Predict, Train

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
Segmentation with smooth boundaries: train on a folder, predict, evaluate, export.

examples:
  implicit-seg train --images images/ --masks masks/ --out run --epochs 50     a folder of images and masks
  implicit-seg predict run --images new/ --out found --min-area 20             masks, SVG, GeoJSON, pictures
  implicit-seg evaluate found/masks true_masks/ --out scores                   a table, scores.json, .csv
  implicit-seg export run model.onnx                                           for ONNX Runtime; or model.pt2
  accelerate launch -m implicit_seg train --images ...                         many devices, many machines

Training that is broken off (Ctrl-C, kill) goes on after its last finished epoch when the same line is given
again.
"""
INTERRUPTED = 130  # 128 + SIGINT, as shells count
Command = Train | Predict | Evaluate | Export


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 2 (refused), 130 (interrupted)."""
    command: Command = tyro.extras.subcommand_cli_from_dict(
        {"train": Train, "predict": Predict, "evaluate": Evaluate, "export": Export},
        args=list(sys.argv[1:] if arguments is None else arguments) or ["--help"],
        prog="implicit-seg",
        description=DESCRIPTION,
    )
    try:
        run(command)
    except (ValueError, TypeError, ImportError, OSError, FloatingPointError) as error:
        print(f"implicit-seg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted. {_how_to_go_on(command)}", file=sys.stderr)
        return INTERRUPTED
    return 0


def run(command: Command) -> None:
    """Does what is asked; what a part needs is imported only for it."""
    if isinstance(command, Train):
        from implicit_seg._command.train import run as part
    elif isinstance(command, Predict):
        from implicit_seg._command.predict import run as part
    elif isinstance(command, Evaluate):
        from implicit_seg._command.evaluate import run as part
    else:
        from implicit_seg._command.export import run as part
    part(command)  # pyright: ignore[reportArgumentType] (each takes its own options)


def _how_to_go_on(command: Command) -> str:
    if isinstance(command, Train) and (command.out / "checkpoint").exists():
        return "Give the same line again to go on after the last finished epoch."
    if isinstance(command, Train):
        return "No epoch was finished."
    return "What was written is whole; give the same line again to write all."
