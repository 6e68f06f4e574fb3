"""The views that a reader turns: scenes packed for the page, and the library that draws them."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from repro import scene as scenes
from repro.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from repro._context import Scene
    from repro.scene import Part

STEPS = 65535  # places along the longest side of a scene's box: far finer than a screen


def packed(folder: Path, scene: Scene) -> dict[str, Any]:
    """Returns what the page's script needs to draw a scene; plain values only.

    `data` is, compressed: of each part its cells (uint32), its values (float32) where it has them, and its
    vertices (three uint16 each, steps of `size` from `low`), filled up to four bytes; all little-endian.

    Raises:
        UserError: the file is damaged; the message names it and the remedy.
    """
    path = folder / scene.file
    try:
        parts = scenes.read(path, scene.sha256)
    except ValueError as error:
        raise UserError(
            f"{path} is no scene that can be shown: {error}. Move its run away and run again."
        ) from error
    low = np.min([part.vertices.min(0) for part in parts], axis=0).astype(np.float64)
    high = np.max([part.vertices.max(0) for part in parts], axis=0).astype(np.float64)
    longest = float((high - low).max()) or 1.0  # a single point has no extent
    size = longest / STEPS
    values = [part.values for part in parts if part.values is not None]
    return {
        "up": scene.up,
        "low": low.tolist(),
        "extent": [side or longest / 1000 for side in (high - low).tolist()],  # a plane has none across
        "size": size,
        "range": [float(min(v.min() for v in values)), float(max(v.max() for v in values))]
        if values
        else None,
        "parts": [
            {
                "label": part.label,
                "corners": part.cells.shape[1],
                "vertices": len(part.vertices),
                "cells": len(part.cells),
                "coloured": part.values is not None,
            }
            for part in parts
        ],
        "data": squeezed(b"".join(_bytes(part, low, size) for part in parts)),
    }


@cache
def library() -> str:
    """Returns plotly.js (MIT licence), from the distribution `plotly`, compressed, which takes 1 s."""
    from plotly.offline import get_plotlyjs

    return squeezed(get_plotlyjs().encode())


def squeezed(content: bytes) -> str:
    """Returns bytes as text: gzip, then base64."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()


def _bytes(part: Part, low: np.ndarray, size: float) -> bytes:
    steps = np.rint((part.vertices - low) / size).astype("<u2").tobytes()
    values = b"" if part.values is None else part.values.astype("<f4").tobytes()
    return part.cells.astype("<u4").tobytes() + values + steps + bytes(-len(steps) % 4)
