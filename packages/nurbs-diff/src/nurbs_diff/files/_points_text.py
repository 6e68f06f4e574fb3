"""Points from lines of text: XYZ, CSV, and the vertices of OBJ."""

from __future__ import annotations

import re

import numpy as np

from nurbs_diff.files import _text

_BETWEEN = re.compile(r"\s*[,;\t]\s*|\s+")


def read(data: bytes) -> np.ndarray:
    """The first three numbers of each line, shape (n, 3)."""
    rows: list[list[float]] = []
    is_first = True
    for number, line in enumerate(_text.decoded(data).splitlines(), 1):
        words = _BETWEEN.split(line.strip())
        if words == [""] or words[0].startswith("#"):
            continue
        if not (is_first and _are_names(words)):
            rows.append(_three(words, number))
        is_first = False
    return np.array(rows, np.float64)


def read_obj(data: bytes) -> np.ndarray:
    """The lines `v x y z`, shape (n, 3)."""
    lines = enumerate(_text.decoded(data).splitlines(), 1)
    return np.array(
        [_three(words[1:], number) for number, line in lines if (words := line.split())[:1] == ["v"]],
        np.float64,
    )


def _three(words: list[str], number: int) -> list[float]:
    if len(words) < 3:
        raise ValueError(f"line {number}: three coordinates must stand there; got {len(words)}. Complete it.")
    return [_text.real(word, f"line {number}") for word in words[:3]]


def _are_names(words: list[str]) -> bool:
    return all(re.fullmatch(r"\"?[A-Za-z][\w ]*\"?", word) for word in words) and not {"nan", "inf"} & {
        word.lower() for word in words
    }
