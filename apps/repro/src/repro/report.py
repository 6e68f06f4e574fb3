"""The page over all runs: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
import re
import secrets
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from repro import (
    atomic,
    disk,
    export,
    forest,
    history,
    latex,
    numbers,
    result,
    selection,
    store,
    style,
    tables,
)
from repro._context import now
from repro.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from markupsafe import Markup

    from repro.history import History
    from repro.result import Measured, Result

THOROUGH = ("smoke", "quick", "paper")


@dataclass(frozen=True)
class Shown:
    """The run that stands for its experiment.

    Attributes:
        folder: it lies in.
        result: it has.
        others: how many finished runs of the experiment are not shown, by preset.
        history: all of them, and how each figure went over them.
    """

    folder: Path
    result: Result
    others: dict[str, int]
    history: History

    @property
    def headline(self) -> Measured:
        """The figure for the summary: the first that has one of the paper beside it, or else the first."""
        figures = self.result.figures
        return next((f for f in figures if f.paper and f.comparable), figures[0])


@dataclass(frozen=True)
class Page:
    """A page that was written.

    Attributes:
        path: of the file.
        size: in bytes.
        shown: the runs on it.
        pictures: how many it has.
    """

    path: Path
    size: int
    shown: tuple[Shown, ...]
    pictures: int


def write(
    runs: Path,
    output: Path,
    *,
    papers: Collection[str] = (),
    experiments: Collection[str] = (),
    csv: Path | None = None,
    tables: Path | None = None,
) -> Page:
    """Writes the page, and the same figures as CSV and LaTeX where asked for.

    Args:
        runs: folder of the runs.
        output: file of the page.
        papers: keys, such as `dsa`; with `experiments` empty too, all.
        experiments: names; they come beside those of the papers.
        csv: file for every figure of every finished run.
        tables: file for LaTeX tables of the runs on the page.

    Raises:
        UserError: there are no finished runs, a name is unknown, a result is damaged, or a file cannot be
            written.
    """
    if not runs.is_dir():
        raise UserError(
            f"There is no folder {runs}. Name the runs with --runs, or make some with repro demo."
        )
    folders = [
        run
        for experiment in store.folders(runs)
        for run in store.folders(experiment)
        if selection.concerns(run, papers=papers, experiments=experiments) or (run / result.NAME).exists()
    ]
    finished = [folder for folder in folders if (folder / result.NAME).exists()]
    left_out = [(folder, _why_left_out(folder)) for folder in folders if folder not in finished]
    read = [(folder, result.read(folder)) for folder in finished]
    if not read:
        raise UserError(f"{runs} holds no finished run. Make some with repro demo or repro run.")
    chosen = selection.select(read, papers=papers, experiments=experiments)
    shown = choose(chosen)
    contents = {output: render(shown, left_out)}
    if csv:
        contents[csv] = export.table(chosen)
    if tables:
        contents[tables] = latex.table(run.result for group in _by_paper(shown) for run in group)
    for file in contents:
        check_output(file)
    for file, content in contents.items():
        try:
            atomic.write(file, content)
        except OSError as error:
            raise UserError(
                f"{file} of {len(content.encode()) / 1e6:,.1f} MB cannot be written: "
                f"{disk.reason(error, file.parent)}. Make room or name another file; nothing is lost."
            ) from error
    return Page(output, output.stat().st_size, tuple(shown), sum(len(run.result.pictures) for run in shown))


def check_output(output: Path) -> None:
    """Sees that the page can be written; makes its folder where it is missing.

    Raises:
        UserError: it cannot.
    """
    if output.is_dir():
        raise UserError(f"{output} is a folder, no file to write. Use --output {output / 'report.html'}.")
    store.check_writable(output.parent)


def choose(finished: list[tuple[Path, Result]]) -> list[Shown]:
    """Chooses the run of each experiment: most thorough preset, then unchanged settings, then the newest."""

    def rank(run: tuple[Path, Result]) -> tuple[int, bool, str]:
        identity = run[1].identity
        return THOROUGH.index(identity.preset), not run[1].changed, run[1].finished

    shown = []
    by_name = sorted(finished, key=lambda run: run[1].identity.experiment)
    for _, group in groupby(by_name, key=lambda run: run[1].identity.experiment):
        *others, (folder, best) = sorted(group, key=rank)
        counts = dict(Counter(other.identity.preset for _, other in others))
        shown.append(Shown(folder, best, counts, history.trace([*others, (folder, best)], folder)))
    return shown


def render(shown: list[Shown], left_out: list[tuple[Path, str]]) -> str:
    """Fills the template."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("repro"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    turned = any(run.result.scenes for run in shown)
    if turned:
        from repro import views

        colours = {
            name: {"card": scheme.card, "text": scheme.text, "cycle": scheme.cycle}
            for name, scheme in style.SCHEMES.items()
        }
        environment.globals.update(packed=views.packed, library=views.library(), schemes_for_views=colours)
    environment.globals.update(
        numbers=numbers,
        duration=tables.duration,
        embed=embed,
        cause=cause,
        described=history.described,
        history_limits=(history.TABLED, history.HINTED),
        words=forest.words,
    )
    environment.filters["prose"] = prose
    papers = [(group[0].result.paper, group) for group in _by_paper(shown)]
    return environment.get_template("page.html").render(
        papers=papers,
        shown=shown,
        forest=forest.plant((paper, [run.result for run in group]) for paper, group in papers),
        left_out=left_out,
        schemes=style.SCHEMES,
        now=now(),
        turned=turned,
        # scripts run with this number only, which nobody knew who wrote a result that is shown
        nonce=secrets.token_urlsafe(16),
    )


def embed(picture: Path) -> str:
    """Returns a picture as a `data:` address, without loss but a quarter smaller than the PNG kept.

    Raises:
        UserError: the file holds no picture.
    """
    from PIL import Image

    smaller = io.BytesIO()
    try:
        Image.open(picture).convert("RGB").save(smaller, format="WEBP", lossless=True, quality=20, method=1)
    except Exception as error:  # Pillow raises whatever it likes about a damaged file
        raise UserError(f"{picture} is damaged. Move its run away and run again.") from error
    return f"data:image/webp;base64,{base64.b64encode(smaller.getvalue()).decode()}"


def cause(figure: Measured, table: list[Measured]) -> str:
    """Returns the cause of a difference, or where the table gave it before."""
    first = next(other for other in table if other.cause == figure.cause)
    return figure.cause if first is figure or not figure.cause else f"As for “{first.label}”."


def prose(text: str) -> Markup:
    """Escapes a text and sets what stands in backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _why_left_out(folder: Path) -> str:
    """Says what keeps a run from being shown: a failure, a kill, a damaged file."""
    try:
        store.marker(folder)
    except ValueError as error:
        return str(error)
    log = folder / "log.txt"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    failure = lines[-1].partition("  failed: ")[2] if lines else ""
    return failure or "unfinished: the command that started it resumes it"


def _by_paper(shown: list[Shown]) -> list[list[Shown]]:
    ordered = sorted(shown, key=lambda run: (run.result.paper.key, run.result.identity.experiment))
    return [list(group) for _, group in groupby(ordered, key=lambda run: run.result.paper.key)]
