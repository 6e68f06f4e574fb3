from __future__ import annotations

import io

from rich.console import Console

from repro.display import Display


def show(*, terminal: bool, steps: int) -> str:
    file = io.StringIO()
    with Display(Console(file=file, force_terminal=terminal, width=100)) as display:
        report = display.bar("train")
        for step in range(1, steps + 1):
            report(step, steps, 1 / step)
        display.line("[done]")
        display.clear()
    return file.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_tenth():
    lines = show(terminal=False, steps=10_000).splitlines()
    assert [line.split()[1] for line in lines[:-1]] == [f"{i}000/10000" for i in range(1, 11)]
    assert lines[0].startswith("  train: 1000/10000 (10%), loss 0.001, 0 s")
    assert lines[-1] == "[done]"  # square brackets are no markup


def test_short_loops_report_every_step():
    assert len(show(terminal=False, steps=3).splitlines()) == 4


def test_a_slow_loop_reports_ever_more_seldom(monkeypatch):
    hours = iter(i * 10.5 for i in range(10_001))
    monkeypatch.setattr("repro.display.time.monotonic", lambda: next(hours))
    file = io.StringIO()
    report = Display(Console(file=file, width=100)).bar("train")
    for step in range(1, 10_001):  # 29 hours, all within the first tenth
        report(step, 200_000, 0.0)
    lines = file.getvalue().splitlines()
    assert 50 < len(lines) < 120
    assert "1/200000" in lines[0]


def test_a_command_over_several_pieces_says_how_far_it_is():
    file = io.StringIO()
    display = Display(Console(file=file, width=100))
    advance = display.overall("all", [1.0, 3.0])
    for name in ("one", "two", "done"):
        advance(name)
    assert file.getvalue().splitlines() == ["all: 0%, one", "all: 25%, two", "all: 100%, done"]
    display.overall("all", [1.0])("the only one")
    assert file.getvalue().count("all") == 3


def test_on_a_terminal_there_is_a_bar():
    shown = show(terminal=True, steps=500)
    assert "train" in shown
    assert "100%" in shown
    assert "loss 0.002" in shown
