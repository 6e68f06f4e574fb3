"""`implicit-seg evaluate`: predicted and true masks in, a table out."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from implicit_seg import accuracy, betti_error, dice, hausdorff_distance, jaccard
from implicit_seg._command import outputs
from implicit_seg._command.folder import read_pairs
from implicit_seg.files import _atomic

if TYPE_CHECKING:
    from pathlib import Path

    from implicit_seg._command.options import Evaluate

OVERLAPS = {"accuracy": accuracy, "dice": dice, "jaccard": jaccard}


def run(command: Evaluate) -> None:
    """Reads and compares all masks first; then scores every one, and all together."""
    if not command.out.parent.is_dir():
        raise ValueError(f"--out {command.out}: there is no folder {command.out.parent}. Make it first.")
    if not 0 < command.spacing < math.inf:
        raise ValueError(f"--spacing must be positive; got {command.spacing}.")
    pairs = read_pairs(command.predicted, command.masks, command.labels, size=None, uniform=False)
    rows, every = [], []
    for pair in pairs:
        assert pair.mask is not None
        both = (pair.image[..., 0] != 0).squeeze(), pair.mask.squeeze()
        every.append([mask.ravel() for mask in both])
        rows.append({"image": pair.name} | {name: score(*both) for name, score in OVERLAPS.items()})
        spacing = command.spacing
        rows[-1] |= {
            "hausdorff_sets": hausdorff_distance(*both, between="sets", spacing=spacing),
            "hausdorff_boundaries": hausdorff_distance(*both, between="boundaries", spacing=spacing),
            "hausdorff_95": hausdorff_distance(*both, between="boundaries", spacing=spacing, percentile=95.0),
            "betti_error": betti_error(*both),
        }
    names = list(rows[0])[1:]
    pooled = [np.concatenate(part) for part in zip(*every, strict=True)]
    total = {
        "images": len(rows),
        "mean": {name: float(np.mean([row[name] for row in rows])) for name in names},
        "median": {name: float(np.median([row[name] for row in rows])) for name in names},
        "pooled": {name: score(*pooled) for name, score in OVERLAPS.items()},
    }
    _show(rows, total, names)
    _write(command.out, rows, total)


def _show(rows: list[dict], total: dict, names: list[str]) -> None:
    table = Table("image", *(name.replace("_", " ") for name in names))
    for row in rows:
        table.add_row(row["image"], *(f"{row[name]:.4g}" for name in names))
    table.add_section()
    for label in ("mean", "median", "pooled"):
        table.add_row(label, *(f"{total[label][name]:.4g}" if name in total[label] else "" for name in names))
    Console().print(table)


def _write(out: Path, rows: list[dict], total: dict) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    json_path, csv_path = out.with_name(out.name + ".json"), out.with_name(out.name + ".csv")
    content = json.dumps({"total": _finite(total), "images": _finite(rows)}, indent=1, allow_nan=False)
    _atomic.write_bytes(json_path, (content + "\n").encode())
    _atomic.write_bytes(csv_path, stream.getvalue().encode())
    outputs.say(f"{json_path}, {csv_path}: {len(rows)} images")


def _finite(value):
    """JSON has no infinity: a distance from an empty mask is written as the word."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return "infinity" if isinstance(value, float) and math.isinf(value) else value
