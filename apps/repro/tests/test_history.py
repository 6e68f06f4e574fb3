from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro import forest, history, report, result


@pytest.fixture
def made(repro, run_of):
    """A function that makes runs of the toy walk at will: `made(k, mean=..., preset=...)`."""
    repro("run", "toy.walk", "--settings.no-draws", "--seeds", 2)
    read = result.read(run_of("toy.walk"))

    def make(k, *, mean=1.0, deviation=0.1, comparable=True, preset="smoke", settings=None, **identity):
        changes = {"preset": preset, "settings": settings or read.identity.settings, **identity}
        figure = replace(read.figures[0], mean=mean, deviation=deviation, comparable=comparable)
        return Path(f"run-{k}"), replace(
            read,
            identity=replace(read.identity, **changes),
            figures=(figure,),
            changed=() if settings is None else tuple(settings),
            finished=f"2026-11-{1 + k // 24:02}T{k % 24:02}:00:00Z",
        )

    return make


def places(path):
    """The points of a line `M1 2L3 4`."""
    return [tuple(map(float, point.split())) for point in re.split("[ML]", path) if point]


def test_only_runs_that_compare_are_joined(made):
    runs = [
        made(0), made(1, preset="quick"), made(2), made(3, settings={"epochs": 9}), made(4),
        made(5, data={"b.png": "1"}), made(6, device="cuda"),
        made(7, comparable=False), made(8, comparable=False),
    ]  # fmt: skip
    ours, elsewhere = history.trace(runs, runs[0][0]).plots
    assert [(s.preset, s.changed, len(places(s.line))) for s in ours.series] == [
        ("smoke", False, 3), ("quick", False, 0), ("smoke", True, 0),
        ("smoke", False, 0), ("smoke", False, 0),
    ]  # fmt: skip
    assert [len(places(s.line)) for s in elsewhere.series] == [2]
    # what was measured on other data has no figure of the paper's beside it
    assert ours.paper is not None
    assert ours.band is not None
    assert (elsewhere.paper, elsewhere.band) == (None, None)
    assert elsewhere.shown is None


def test_marks_stand_at_their_values_and_times(made):
    runs = [made(2, mean=3.0), made(0, mean=1.0), made(1, mean=2.0, deviation=None)]
    (plot,) = history.trace(runs, runs[0][0]).plots
    (series,) = plot.series
    (x0, y0), (x1, y1), (x2, y2) = places(series.line)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)  # each written to a tenth
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > y2  # upwards on the screen
    assert plot.shown == pytest.approx((x2, y2), abs=0.1)
    assert series.bars.count("M") == 2
    low, high = map(float, re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", series.bars)[0])
    assert (low + high) / 2 == pytest.approx(y0, abs=0.1)
    assert (low - high) / (y0 - y2) == pytest.approx(0.2 / 2, rel=0.05)  # ± 0.1 where 2 lie between the means
    assert [hint.text.split(";")[0] for hint in plot.hints] == ["1.00 ± 0.10", "2", "3.00 ± 0.10"]
    # the paper's 0.75 ± 0.01
    assert plot.paper == pytest.approx(y0 + 0.25 * (y0 - y1), abs=0.2)
    assert plot.band[0] < plot.paper < plot.band[0] + plot.band[1]


def test_each_preset_has_its_own_mark(made):
    runs = [made(0), made(1, preset="quick"), made(2, preset="paper")]
    (plot,) = history.trace(runs, runs[0][0]).plots
    shapes = {re.sub(r"[-\d. ]+", "", series.marks) for series in plot.series}
    assert shapes == {"MaaZ", "MhvhZ", "MlllZ"}


@pytest.mark.parametrize("count", [2, 3, 60, 61, 200])
def test_many_runs_stay_inside_the_plot_and_light(made, count):
    runs = [made(k, mean=1 + k % 7) for k in range(count)]
    traced = history.trace(runs, runs[0][0])
    (plot,) = traced.plots
    dots = places(plot.series[0].line)
    assert len(dots) == count
    assert all(history.LEFT <= x <= history.RIGHT and history.TOP <= y <= history.BOTTOM for x, y in dots)
    assert len(plot.hints) == (count if count <= history.HINTED else 0)
    html = report.render([report.Shown(*runs[-1], {"smoke": count - 1}, traced)], [])
    assert html.count('class="plot"') == 1
    assert len(html) < 60_000 + 1000 * count
    assert f"History: {count} finished runs" in html


def test_a_figure_that_other_runs_lack_and_a_setting_that_a_run_lacks(made):
    folder, old = made(0)
    old = replace(old, figures=(replace(old.figures[0], key="renamed"),), changed=("gone",))
    runs = [(folder, old), made(1)]
    html = report.render([report.Shown(*runs[1], {"smoke": 1}, history.trace(runs, runs[1][0]))], [])
    assert html.count('class="plot"') == 2
    assert "gone = None" in html


def test_one_run_has_no_history(made):
    runs = [made(0)]
    traced = history.trace(runs, runs[0][0])
    assert traced.plots == ()
    assert "History" not in report.render([report.Shown(*runs[0], {}, traced)], [])


numbers_ = st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(numbers_, st.floats(0, 1e6)), min_size=1, max_size=8))
def test_every_value_lies_on_the_scale_and_ticks_too(values):
    means = [mean for mean, _ in values]
    ends = [mean + sign * deviation for mean, deviation in values for sign in (-1, 1)]
    axis = history.Axis.over(ends, means)
    for value in means:
        assert history.TOP - 1e-6 <= axis.height(value) <= history.BOTTOM + 1e-6
    for value, text in axis.ticks():
        assert history.TOP - 1e-6 <= axis.height(value) <= history.BOTTOM + 1e-6
        assert text
    heights = [axis.height(value) for value in sorted(means)]
    assert all(low >= high - 1e-6 for low, high in pairwise(heights))  # equal but for rounding, or higher


def test_a_wide_range_is_logarithmic():
    axis = history.Axis.over([1e-6, 1.0], [1e-6, 1.0])
    assert axis.logarithmic
    middle = (axis.height(1e-6) + axis.height(1.0)) / 2
    assert axis.height(1e-3) == pytest.approx(middle)
    assert [text for _, text in axis.ticks()] == ["10⁻⁶", "10⁻⁴", "0.01", "1"]
    assert not history.Axis.over([-1.0, 1e6], [-1.0, 1e6]).logarithmic


# the forest


def test_a_ratio_stands_where_it_belongs_with_both_spreads(made):
    _, run = made(0, mean=1.5, deviation=0.15)  # the paper's: 0.75 ± 0.01
    planted = forest.plant([(run.paper, [run])])
    ((_, (row,)),) = planted.groups
    assert row.ratio == pytest.approx(2.0)
    at = dict(zip((text for _, text in planted.ticks), (place for place, _ in planted.ticks), strict=True))
    assert at["1"] == 50.0
    assert row.place == pytest.approx(at["2"])
    assert row.ours[0] < row.place == row.ours[1]  # its upper end lies beyond the scale
    low, high = row.band
    assert high - 50 == pytest.approx(50 - low, rel=0.02)
    assert (row.place - 50) / (high - 50) == pytest.approx(
        0.6931 / 0.01325, rel=0.01
    )  # ln 2, ln(0.76 / 0.75)
    assert row.beyond == 0


def test_what_lies_beyond_the_scale_and_what_has_no_ratio(made):
    runs = [made(k, mean=0.75)[1] for k in range(20)]
    runs += [made(20, mean=750.0)[1], made(21, mean=-1.0)[1], made(22, mean=7.5, comparable=False)[1]]
    planted = forest.plant([(runs[0].paper, runs)])
    ((_, rows),) = planted.groups
    assert planted.count == 22  # what was measured on other data is not there
    assert [text for _, text in planted.ticks] == ["0.8", "0.9", "1", "1.1", "1.25"]
    assert (rows[20].beyond, rows[20].place) == (1, 100 - forest.MARGIN)
    assert rows[21].ratio is None
    assert all(row.place == 50 for row in rows[:20])


def test_one_seed_or_no_deviation_has_no_bar(made):
    _, run = made(0, deviation=None)
    ((_, (row,)),) = forest.plant([(run.paper, [run])]).groups
    assert row.ours is None


def test_a_negative_figure_keeps_its_bars_in_order(made):
    _, run = made(0, mean=-1.0)
    published = replace(run.figures[0].paper, value=-0.75, deviation=0.1)
    run = replace(run, figures=(replace(run.figures[0], paper=published),))
    ((_, (row,)),) = forest.plant([(run.paper, [run])]).groups
    assert row.ours[0] < row.place < row.ours[1]
    assert row.band[0] < 50 < row.band[1]
