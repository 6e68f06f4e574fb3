from __future__ import annotations

import csv
import json
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from repro import cli, lock, runner, store
from repro._sweep_ray import Ended, look
from repro.display import Display

GRID = ("toy.walk", "--set", "epochs=2,3", "--set", "sizes=1 2,3", "--set", "draws=false", "--seeds", "2")
BRIEF = (*GRID, "--figures", "mean")  # few panels, as drawing is what takes the time


class HereInstead:
    """Stands in for a cluster: does each task in this process, after as many deaths as it was told."""

    def __init__(self, deaths: int):
        self.deaths, self.tasks, self.done = deaths, [], []

    def __str__(self):
        return "no node at all"

    def submit(self, task):
        self.tasks.append(task)

    def ended(self, timeout):
        task = self.tasks.pop()  # the last first: the order must not matter
        if self.deaths:
            self.deaths -= 1
            return [Ended(task, "its worker died (Test)", died=True)]
        try:
            runner.run_seed(task.point.job, task.seed, task.folder, display=Display())
        except Exception as error:
            return [Ended(task, str(error))]
        self.done.append((task.point.varied, task.seed))
        return [Ended(task)]


@pytest.fixture
def here(monkeypatch):
    """Replaces Ray; returns a function that says how many workers die, and which gives the stand-in."""

    def prepare(deaths: int = 0) -> HereInstead:
        cluster = HereInstead(deaths)

        @contextmanager
        def connect(address, *, cpus, gpus):
            yield cluster

        monkeypatch.setattr("repro._sweep_ray.connect", connect)
        return cluster

    return prepare


def results(runs="runs"):
    return {path.parent: json.loads(path.read_text()) for path in Path(runs).glob("*/*/result.json")}


def test_every_combination_and_seed_is_done_once_and_each_run_is_a_normal_one(repro, here):
    cluster = here()
    ended = repro("sweep", *BRIEF)
    assert ended.code == 0, ended.err
    wanted = [{"epochs": e, "sizes": s, "draws": False} for e in (2, 3) for s in ((1, 2), (3,))]
    assert sorted(cluster.done, key=str) == sorted([(v, seed) for v in wanted for seed in (0, 1)], key=str)
    assert len(results()) == 4

    by_hand = ("toy.walk", "--settings.epochs", 3, "--settings.sizes", 3, "--settings.no-draws", "--seeds", 2)
    again = repro("run", *by_hand, "--device", "cpu")
    assert "finished before" in again.err
    repro("run", *by_hand, "--device", "cpu", "--runs", "unbroken")
    (alone,) = results("unbroken").values()
    (swept,) = (r for r in results().values() if r["sha256"] == alone["sha256"])
    for name in ("figures", "changed", "identity"):
        assert swept[name] == alone[name]
    assert repro("report").code == 0


def test_a_sweep_draws_the_pictures_of_the_first_seed(repro, here):
    here()
    assert repro("sweep", "toy.walk", "--set", "epochs=2", "--figures", "mean", "--seeds", 2).code == 0
    ((run, result),) = results().items()
    assert [picture["name"] for picture in result["pictures"]] == ["walk", "square"]
    assert (run / result["pictures"][0]["dark"]).is_file()


def test_the_table_has_every_run_with_its_spread_beside_the_paper(repro, here):
    here()
    ended = repro("sweep", *GRID, "--figures", "mean", "elsewhere", "--name", "walks")
    for text in (
        "toy.walk: mean place",
        "epochs 2, sizes 1 2, draws False",
        "0.75 ± 0.01",
        "other data, not comparable",
    ):
        assert text in ended.out
    folder = Path("sweep/walks")
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["figure"], row["epochs"], row["sizes"]) for row in rows] == [
        (figure, epochs, sizes)
        for figure in ("mean", "elsewhere")
        for epochs in ("2", "3")
        for sizes in ("1 2", "3")
    ]
    for row in rows:
        (result,) = (r for path, r in results().items() if path == Path(row["run"]))
        (figure,) = (f for f in result["figures"] if f["key"] == row["figure"])
        assert float(row["mean"]) == figure["mean"]
        assert float(row["deviation"]) == figure["deviation"]
        assert [float(value) for value in row["values"].split()] == figure["values"]
        assert float(row["seconds"]) == sum(seed["seconds"] for seed in result["seeds"])
        assert (row["paper"], row["comparable"]) == {
            "mean": ("0.75", "True"),
            "elsewhere": ("987.25", "False"),
        }[row["figure"]]
    lines = (folder / "table.md").read_text().splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({line.count("|") for line in lines}) == 1
    record = json.loads((folder / "sweep.json").read_text())
    assert [run["settings"] for run in record["runs"]][1] == {"epochs": 2, "sizes": [3], "draws": False}
    assert record["failures"] == []
    for plot in ("plot.png", "plot-dark.png"):
        assert (folder / plot).read_bytes().startswith(b"\x89PNG")


def test_the_plot_has_a_line_per_other_setting_the_spread_and_the_paper(repro, here, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    save = Figure.savefig

    def keep(figure, *arguments, **options):
        drawn.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    here()
    repro("sweep", *GRID, "--figures", "mean", "elsewhere")
    mean, elsewhere = drawn[0].axes
    assert [bar.get_label() for bar in mean.containers] == ["sizes 1 2, draws False", "sizes 3, draws False"]
    line = mean.containers[0][0]
    assert list(line.get_xdata()) == [2, 3]
    want = {r["identity"]["settings"]["epochs"]: r["figures"][0] for r in results().values()}
    assert list(line.get_ydata()) == [want[2]["mean"], want[3]["mean"]]
    (segments,) = (bars.get_segments() for bars in mean.containers[0][2])
    assert segments[0][:, 1].tolist() == pytest.approx(
        [want[2]["mean"] - want[2]["deviation"], want[2]["mean"] + want[2]["deviation"]]
    )
    assert [li.get_ydata()[0] for li in mean.lines if li.get_label() == "paper"] == [0.75]
    assert not [li for li in elsewhere.lines if li.get_label() == "paper"]
    assert len(drawn) == 2


def test_what_is_finished_is_not_done_again_and_needs_no_ray(repro, here, monkeypatch):
    here()
    first = repro("sweep", *BRIEF)
    times = {path: (path / "result.json").stat().st_mtime_ns for path in results()}

    def refuse(*_, **__):
        raise AssertionError("there is nothing to do")

    monkeypatch.setattr("repro._sweep_ray.connect", refuse)
    second = repro("sweep", *BRIEF)
    assert second.code == 0
    assert "4 runs: 4 finished before, 0 to do." in second.err
    assert second.out == first.out
    assert times == {path: (path / "result.json").stat().st_mtime_ns for path in results()}


def test_only_missing_seeds_are_done_and_one_that_gathers_where_none_is(repro, here):
    here()
    repro("sweep", "toy.two", "--seeds", 3)
    (run,) = results()
    for gone in ("result.json", "seed-1/outcome.json"):
        (run / gone).unlink()
    cluster = here()
    assert repro("sweep", "toy.two", "--seeds", 3).code == 0
    assert cluster.done == [({}, 1)]
    (run / "result.json").unlink()
    cluster = here()
    ended = repro("sweep", "toy.two", "--seeds", 3)
    assert cluster.done == [({}, 0)]
    assert "preset smoke" in ended.out
    assert (run / "log.txt").read_text().count("finished in") == 4
    assert (run / "result.json").exists()


def test_a_seed_whose_worker_dies_is_tried_again_as_often_as_was_said(repro, here):
    here(deaths=2)
    ended = repro("sweep", "toy.single", "--retries", 2)
    assert ended.code == 0
    assert "toy.single, seed 0: its worker died (Test); tried again (2 of 2)" in ended.err
    here(deaths=3)
    ended = repro("sweep", "toy.two", "--seeds", 1, "--retries", 2)
    assert ended.code == 1
    assert "toy.two, seed 0: its worker died (Test), 3 times" in ended.err
    assert "no run of the sweep could be finished" in ended.err


def test_failures_are_listed_with_the_command_that_does_the_run_again(repro, here):
    cluster = here()
    ended = repro("sweep", "toy.single", "bad.fall", "--seeds", 2, "--set", "epochs=5", "--set", "sizes=7 8")
    assert ended.code == 1
    assert "bad.fall, epochs 5, sizes 7 8: failed" not in ended.err
    assert ended.err.count("RuntimeError: it fell over") == 2  # not tried again
    assert ended.err.count("again: repro run") == 1
    assert "failed" in ended.out
    assert [seed for _, seed in cluster.done] == [0]
    command = ended.err.partition("again: repro ")[2].splitlines()[0]
    again = repro(*shlex.split(command))
    assert "bad.fall: resumed" in again.err
    record = json.loads(next(Path("sweep").glob("*/sweep.json")).read_text())
    assert [failure["name"] for failure in record["failures"]] == [
        f"bad.fall, epochs 5, sizes 7 8, seed {seed}" for seed in (1, 0)
    ]


@pytest.mark.parametrize("setting", ["draws=False", "draws=true", "pause=0.25", "sizes=1", "epochs=4"])
def test_the_command_of_a_point_means_the_same_run(toys, setting):
    from repro import sweep

    options = {"preset": "smoke", "seeds": 2, "device": "cpu", "data": None}
    (point,) = sweep.expand([toys.WALK], [setting], **options)
    command = cli.parse(shlex.split(point.command(Path("a b")))[1:])
    assert getattr(command, "settings", toys.WALK.presets["smoke"]) == point.job.settings
    assert command.runs == Path("a b")
    assert command.seeds == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("toy.walk", "--set", "epochs"), "--set epochs: write it as NAME=VALUE,VALUE"),
        (("toy.walk", "--set", "epochs=2,,3"), "--set epochs=2,,3: write it as NAME=VALUE,VALUE"),
        (
            ("toy.walk", "--set", "epocs=2"),
            "toy.walk has no setting `epocs`. It has: epochs (int), pause (float), sizes (tuple[int, ...]), "
            "draws (bool). To vary it in one experiment alone, write --set EXPERIMENT.epocs=2.",
        ),
        (
            ("toy.walk", "--set", "epochs=2,many"),
            "'many' is no value for `epochs` of toy.walk, which is int.",
        ),
        (("toy.walk", "--set", "sizes=1 x"), "'1 x' is no value for `sizes` of toy.walk"),
        (("toy.walk", "--set", "draws=maybe"), "'maybe' is no value for `draws` of toy.walk, which is bool."),
        (("toy.walk", "--set", "pause=0.1,0.10"), "--set pause=0.1,0.10: 0.1 stands there twice."),
        (("toy.walk", "--set", "epochs=1", "--set", "epochs=2"), "epochs of toy.walk is there already"),
        (("toy.walk", "--set", "toy.two.epochs=1"), "toy.two is not in this sweep. Did you mean toy.walk?"),
        (("toy.walk", "--set", "pause=nan"), "its settings are not all plain finite values"),
        (("toy.walk", "--seeds", "0"), "--seeds must be 1 or more; got 0."),
        (("toy.walk", "--retries", "-1"), "--retries must be 0 or more; got -1."),
        (("toy.walk", "--cpus", "0"), "--cpus must be positive; got 0."),
        (("toy.walk", "--gpus", "1.5"), "--gpus must be a fraction of one, or whole; got 1.5."),
        (("toy.walk", "--address", "ray://there"), "start the sweep on a machine of the cluster"),
        (("toy.walk", "--name", "../x"), "--name must be a folder's name"),
        (("toy.walk", "--figures", "men"), "there is no figure 'men'. Did you mean mean?"),
        (("toy.walk", "--data", "nowhere"), "--data must name a folder; nowhere is none."),
        (("toy.wolk",), "There is no experiment or paper 'toy.wolk'. Did you mean toy.walk"),
        ((), "Name an experiment, a paper or `all`"),
    ],
)
def test_what_cannot_be_swept_is_refused_and_nothing_touched(repro, arguments, message):
    ended = repro("sweep", *arguments)
    assert ended.code in (1, 2)
    assert message in ended.err
    assert list(Path().iterdir()) == []


def test_settings_that_refuse_a_value_say_so(toys):
    from dataclasses import dataclass, replace

    from repro import sweep
    from repro.errors import UserError

    @dataclass(frozen=True)
    class Picky:
        size: int = 1

        def __post_init__(self):
            if self.size < 1:
                raise ValueError("`size` must be positive.")

    picky = replace(toys.WALK, presets={"smoke": Picky()})
    with pytest.raises(
        UserError, match=r"--set size=0: the settings of toy.walk refuse it: `size` must be pos"
    ):
        sweep.expand([picky], ["size=0"], preset="smoke", seeds=1, device="cpu", data=None)


def test_a_setting_of_one_experiment_leaves_the_others_as_they_are(toys):
    from repro import sweep

    options = {"preset": "smoke", "seeds": 2, "device": "cpu", "data": None}
    points = sweep.expand([toys.TWO, toys.WALK, toys.SINGLE], ["toy.walk.epochs=2,3"], **options)
    assert [point.name for point in points] == [
        "toy.two",
        "toy.walk, epochs 2",
        "toy.walk, epochs 3",
        "toy.single",
    ]
    assert [point.job.seeds for point in points] == [2, 2, 2, 1]  # nothing is random in the last


def test_without_ray_the_remedy_is_named(repro, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = repro("sweep", "toy.single")
    assert ended.code == 2
    assert 'pip install "./apps/repro[sweep]"' in ended.err
    assert not list(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("there", "--address there: write it as host:port, or auto."),
        ("127.0.0.1:1", "--address 127.0.0.1:1: no Ray cluster answers ([Errno 111] Connection refused)."),
    ],
)
def test_where_no_cluster_answers_no_run_is_started(repro, address, message):
    pytest.importorskip("ray")
    ended = repro("sweep", "toy.single", "--address", address)
    assert ended.code == 2
    assert message in ended.err
    assert not list(Path("runs").iterdir())


def test_a_seed_that_another_process_holds_is_waited_for(repro, here):
    here()
    repro("sweep", "toy.two", "--seeds", 2)
    (run,) = results()
    (run / "result.json").unlink()
    with store.share(run, 1):
        assert store.is_held(run, 1)
        assert not store.is_held(run, 0)
        refused = repro("run", "toy.two", "--seeds", 2, "--device", "cpu")
        assert f"Another process is at work in {run}" in refused.err
    assert not store.is_held(run, 1)
    with lock.hold(run, wait=False):
        assert store.is_held(run, 0)


def test_a_node_tells_whether_it_sees_the_folder_and_its_locks(tmp_path):
    assert "does not see the folder" in str(look(tmp_path, ".token"))
    with lock.hold(tmp_path, wait=False, name=".token"):
        assert look(tmp_path, ".token") is None
    assert "are not seen. Put --runs on a file system" in str(look(tmp_path, ".token"))
