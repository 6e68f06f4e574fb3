"""What an experiment is: the contract between `repro` and the apps that reproduce the papers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from repro.context import Context

S = TypeVar("S")
Preset = Literal["smoke", "quick", "paper"]


@dataclass(frozen=True)
class Paper:
    """A published work whose tables an app reproduces.

    Attributes:
        key: the app's name and the first half of its experiments' names, such as `dsa`.
        authors: as one would cite them, such as "Cho et al.".
        title: the full title.
        venue: journal or conference with the year.
    """

    key: str
    authors: str
    title: str
    venue: str


@dataclass(frozen=True)
class Band:
    """The interval in which a figure of the `smoke` preset must lie, ends included.

    A band guards against regressions; it says nothing of the paper. `why` justifies both ends: a known
    optimum, a discretisation floor, a spread measured over seeds.
    """

    low: float
    high: float
    why: str

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(
                f"`low` must lie below `high`; got [{self.low:g}, {self.high:g}]. Swap or widen them."
            )
        if not self.why.strip():
            raise ValueError("`why` is empty: say where the two ends of the band come from.")

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number that an experiment measures, and the paper's number to stand beside it.

    Attributes:
        key: identifies the figure in `result.json`, such as `mse_free_256`.
        label: what a reader of the table sees, such as "free knots, 256 x 256".
        unit: of the value, empty where it has none.
        published: the paper's figure, None where the paper has none. Never adjusted, never a target.
        deviation: the paper's standard deviation, None where it gives none.
        source: where in the paper `published` stands, such as "Table 3, row 2".
        comparable: False where ours is measured on other data than the paper's; the report then puts it under
            "other data, not comparable" and shows no ratio.
        cause: one sentence: what our protocol does otherwise than the paper's, and so the likely cause of a
            difference. The report adds by how much the two differ.
        smoke: the band for the `smoke` preset, None where the figure is for information only (a run time).
    """

    key: str
    label: str
    unit: str = ""
    published: float | None = None
    deviation: float | None = None
    source: str = ""
    comparable: bool = True
    cause: str = ""
    smoke: Band | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[S]):
    """One table or figure of a paper, ready to run.

    Attributes:
        name: `<paper>.<experiment>`, the name of its entry point in the group `repro.experiments`.
        title: one line for `repro list`.
        about: two or three sentences for the report: what is done, on which data, what the pictures show.
        paper: the work it belongs to.
        presets: settings (a frozen dataclass of plain values) for `smoke`, `quick` and `paper`.
        minutes: expected minutes of one seed for each preset, on two cores (`paper`: on the hardware named in
            `about`).
        figures: the numbers it measures; `run` returns a value for each.
        run: does the work for one seed: `run(settings, context) -> {figure.key: value}`.
        data: returns the SHA-256 checksum of every data file the experiment reads, by name. They are part of
            the identity of a run: other data, another run.
        seeded: False where nothing is random, so that one seed says everything.
        packages: the distributions whose versions are part of the identity of a run.
    """

    name: str
    title: str
    about: str
    paper: Paper
    presets: Mapping[Preset, S]
    minutes: Mapping[Preset, float]
    figures: tuple[Figure, ...]
    run: Callable[[S, Context], Mapping[str, float]]
    data: Callable[[], Mapping[str, str]] = dict
    seeded: bool = True
    packages: tuple[str, ...] = ()
