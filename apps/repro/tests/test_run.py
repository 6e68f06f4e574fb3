from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_run_leaves_its_files_and_prints_its_figures(repro, run_of):
    ended = repro("run", "toy.walk", "--seeds", 2)
    assert ended.code == 0
    for text in ("toy.walk", "mean place", "0.75 ± 0.01", "1.006 ± 0.050", "other data, not comparable"):
        assert text in ended.out
    assert "toy.walk: started, preset smoke, 2 seeds, cpu" in ended.err
    assert files(run_of("toy.walk")) == [
        ".lock",
        "identity.json",
        "log.txt",
        "report.md",
        "result.json",
        "seed-0/outcome.json",
        "seed-0/pictures/index.json",
        "seed-0/pictures/square.dark.png",
        "seed-0/pictures/square.light.png",
        "seed-0/pictures/walk.dark.png",
        "seed-0/pictures/walk.light.png",
        "seed-0/scenes/hill.npz",
        "seed-0/scenes/index.json",
        "seed-0/walk.json",
        "seed-1/outcome.json",
        "seed-1/walk.json",
    ]
    report = (run_of("toy.walk") / "report.md").read_text()
    assert "| mean place | 0.75 ± 0.01 | 1.006 ± 0.050 |  | Our steps are drawn <otherwise>. |" in report
    assert "| place elsewhere | 987.25 |  | 1242 ± 61 |  |" in report


def test_the_same_again_is_shown_and_not_repeated(repro, run_of):
    first = repro("run", "toy.two", "--seeds", 2)
    folder = run_of("toy.two")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = repro("run", "toy.two", "--seeds", 2)
    assert again.code == 0
    assert f"toy.two: finished before, in {folder}; --fresh runs it anew." in again.err
    assert again.out == first.out
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "change", [("--fresh",), ("--seeds", 2), ("--preset", "quick"), ("--settings.epochs", 5), ("--data", ".")]
)
def test_what_is_different_starts_anew(repro, change):
    repro("run", "toy.two")
    ended = repro("run", "toy.two", *change)
    assert ended.code == 0
    assert "toy.two: started" in ended.err
    assert len(list(Path("runs", "toy.two").glob("*/result.json"))) == 2


def test_settings_reach_the_experiment_and_the_result(repro, run_of):
    ended = repro(
        "run", "toy.walk", "--settings.epochs", 2, "--settings.no-draws", "--settings.sizes", 3, 4, 5
    )
    assert ended.code == 0
    result = json.loads((run_of("toy.walk") / "result.json").read_text())
    assert result["identity"]["settings"] == {"epochs": 2, "pause": 0.0, "sizes": [3, 4, 5], "draws": False}
    assert result["changed"] == ["epochs", "sizes", "draws"]
    assert (run_of("toy.walk") / "log.txt").read_text().count("epoch") == 2


def test_help_shows_the_settings_with_their_meaning(repro):
    ended = repro("run", "toy.walk", "--preset", "quick", "--help")
    assert ended.code == 0
    assert "--settings.epochs INT" in ended.out
    assert "How often something is done. (default: 6)" in ended.out
    assert "--settings" not in repro("run", "--help").out
    assert "repro run dsa.table3" in repro("--help").out
    assert repro().out == repro("--help").out


def test_what_is_not_random_runs_once(repro, run_of):
    assert repro("run", "toy.single", "--seeds", 5).code == 0
    assert json.loads((run_of("toy.single") / "identity.json").read_text())["identity"]["seeds"] == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bad.nan", "bad.nan returned nan for `x`, which is not finite."),
        ("bad.nothing", "bad.nothing returned no value for `x`."),
        ("bad.unknown", "bad.unknown returned the unknown figure `y`."),
        ("bad.text", "bad.text returned 'many' for `x`, which is no number."),
        ("bad.fall", "bad.fall failed at seed 0: RuntimeError: it fell over."),
    ],
)
def test_an_experiment_that_fails_is_named_and_leaves_nothing_finished(repro, run_of, name, message):
    ended = repro("run", name)
    assert ended.code == 1
    assert f"{message} The log: {run_of(name) / 'log.txt'}" in ended.err
    assert "Traceback" not in ended.err
    assert files(run_of(name)) == [".lock", "identity.json", "log.txt"]
    log = (run_of(name) / "log.txt").read_text()
    assert f"failed: {message}" in log
    assert ("Traceback" in log) == (name == "bad.fall")


def test_where_one_fails_the_others_still_run(repro, run_of):
    ended = repro("run", "bad.missing", "bad.fall", "toy.single")
    assert ended.code == 1
    assert "bad.missing cannot be imported" in ended.err
    assert (run_of("toy.single") / "result.json").exists()
    assert "toy.single" in ended.out


def test_check_tells_whether_every_seed_lies_in_its_band(repro):
    assert repro("run", "toy.two", "--check").code == 0
    ended = repro("run", "toy.two", "--check", "--seeds", 2)
    assert ended.code == 1
    (row,) = (line for line in ended.out.splitlines() if "1.5 to 2.5" in line)
    assert row.split()[:4] == ["toy.two", "x", "1", "3"]
    assert repro("run", "toy.two", "--seeds", 2).code == 0  # the same run, not checked


def test_interrupting_ends_with_a_word_on_how_to_go_on(repro, run_of, toys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(toys.time, "sleep", interrupt)
        ended = repro("run", "toy.walk")
    assert ended.code == 130
    assert "Interrupted. The same command goes on where it stopped." in ended.err
    log = (run_of("toy.walk") / "log.txt").read_text()
    assert log.endswith("interrupted; the same command resumes\n")


def test_a_run_that_another_process_holds_is_left_alone(repro, run_of):
    repro("run", "bad.fall")
    with (run_of("bad.fall") / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = (run_of("bad.fall") / "log.txt").read_text()
        ended = repro("run", "bad.fall")
    assert ended.code == 2
    assert f"Another process is at work in {run_of('bad.fall')}" in ended.err
    assert (run_of("bad.fall") / "log.txt").read_text() == before


def test_a_damaged_outcome_is_named_with_the_remedy(repro, run_of):
    repro("run", "toy.two", "--seeds", 2)
    (run_of("toy.two") / "result.json").unlink()
    outcome = run_of("toy.two") / "seed-0" / "outcome.json"
    outcome.write_text("{")
    ended = repro("run", "toy.two", "--seeds", 2)
    assert ended.code == 2
    assert f"{outcome} is damaged: it is not JSON" in ended.err
    outcome.unlink()
    assert repro("run", "toy.two", "--seeds", 2).code == 0


def test_a_file_in_the_place_of_an_experiment_s_folder_is_named(repro):
    Path("runs").mkdir()
    Path("runs/toy.walk").touch()
    ended = repro("run", "toy.walk")
    assert ended.code == 2
    assert "The folder runs/toy.walk cannot be written to (File exists)" in ended.err
    assert files(Path("runs")) == ["toy.walk"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "There is no experiment or paper 'nonsense'. There are: bad.fall"),
        ((), "Name an experiment, a paper or `all`"),
        (("toy.walk", "--seeds", "0"), "--seeds must be 1 or more; got 0."),
        (("toy.walk", "--data", "nowhere"), "--data must name a folder; nowhere is none."),
        (("toy.walk", "--runs", "file/runs"), "The folder file/runs cannot be written to (Not a directory)"),
        (("toy.walk", "--device", "cuda"), "--device cuda: torch sees no CUDA device here. Use --device cpu"),
        (
            ("toy.walk", "--check", "--preset", "quick"),
            "--check knows the bands of the smoke preset as it is",
        ),
        (("toy.walk", "--check", "--settings.epochs", "2"), "--check knows the bands of the smoke preset"),
        (
            ("toy", "--settings.epochs", "2"),
            "--settings changes one experiment at a time; asked for are toy.",
        ),
        (("toy.walk", "--settings.epochs", "many"), "invalid literal for int"),
        (("toy.walk", "--sedes", "2"), "--sedes"),
    ],
)
def test_bad_input_is_refused_and_nothing_touched(repro, arguments, message):
    Path("file").touch()
    ended = repro("run", *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert files(Path()) == ["file"]
    assert not Path("runs").exists()


def test_cuda_is_taken_where_every_framework_sees_it(toys, monkeypatch):
    from dataclasses import replace

    from repro import devices

    both = replace(toys.WALK, packages=("torch", "jax"))
    for seen, device in (({"torch", "jax"}, "cuda"), ({"torch"}, "cpu")):
        monkeypatch.setattr(devices, "sees_cuda", seen.__contains__)
        assert devices.choose("auto", both) == device
        assert devices.choose("cpu", both) == "cpu"
        assert devices.choose("auto", toys.WALK) == "cuda"  # names no framework: torch is asked


def test_a_framework_that_is_not_installed_sees_nothing():
    from repro.devices import sees_cuda

    assert not sees_cuda("no_such_framework")


def test_list_shows_everything_errors_included(repro):
    ended = repro("list")
    assert ended.code == 0
    lines = {line.split()[0]: line for line in ended.out.splitlines() if line.strip()}
    for text in ("The toy toy.walk", "0.6 s", "2 min", "2.08 days"):
        assert text in lines["toy.walk"]
    assert "Euler & Co., Basel 1744" in ended.out
    assert "cannot be imported (AttributeError" in lines["bad.missing"]


def test_the_demo_runs_everything_and_writes_the_page(repro, toys):
    for name in [name for name in toys.OBJECTS if name.startswith("bad")]:
        del toys.OBJECTS[name]
    ended = repro("demo")
    assert ended.code == 0, ended.err
    assert f"{Path('report.html').resolve()} (4 experiments, 4 pictures, " in ended.out
    assert "Next:" in ended.out
    again = repro("demo", "--output", "again/page.html")
    assert again.err.count("finished before, in") == 4
    assert Path("again/page.html").stat().st_size == pytest.approx(
        Path("report.html").stat().st_size, rel=0.01
    )


def test_the_demo_takes_what_the_apps_name(repro, monkeypatch):
    monkeypatch.setattr("repro.registry.installed", lambda group: {"toy.single": None, "gone.away": None})
    ended = repro("demo")
    assert ended.code == 0, ended.err
    assert "(1 experiments, " in ended.out


@pytest.mark.parametrize("command", ["demo", "report"])
def test_a_page_that_cannot_be_written_is_refused_before_any_work(repro, command):
    Path("runs").mkdir()
    if command == "report":
        repro("run", "toy.single")
    Path("file").touch()
    before = files(Path())
    for output, message in (
        (".", ". is a folder, no file to write"),
        ("file/a.html", "cannot be written to"),
    ):
        ended = repro(command, "--output", output)
        assert ended.code == 2
        assert message in ended.err
    assert files(Path()) == before
