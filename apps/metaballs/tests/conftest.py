"""A context that keeps what an experiment tells it, and can break a run off as a kill would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from matplotlib import style
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Broken(Exception):  # noqa: N818 (it stands for a kill, not for an error)
    """Stands for the death of the process."""


class FakeContext:
    def __init__(self, folder: Path, *, breaks_at: int | None = None) -> None:
        self.seed, self.device, self.folder, self.data = 0, "cpu", folder, None
        self.breaks_at = breaks_at
        self.steps: list[int] = []
        self.lines: list[str] = []
        self.pictures: dict[str, str] = {}

    def progress(self, description: str) -> Callable[[int, int, float], None]:
        def report(step: int, total: int, loss: float) -> None:
            if step == self.breaks_at:
                raise Broken
            self.steps.append(step)

        return report

    def log(self, message: str) -> None:
        self.lines.append(message)

    def picture(self, name: str, caption: str, draw, *, size: tuple[float, float] = (8.0, 4.5)) -> None:
        assert name not in self.pictures
        self.pictures[name] = caption
        for scheme in ("default", "dark_background"):
            with style.context(scheme):
                figure = Figure(figsize=size, layout="constrained")
                draw(figure)
                figure.savefig(self.folder / f"{name}_{scheme}.png", dpi=40)


@pytest.fixture(scope="session")
def make_context():
    return FakeContext


@pytest.fixture(scope="session")
def broken():
    return Broken
