from __future__ import annotations

import json
import math
import statistics

import numpy as np
import pytest

from repro import result, schema
from repro.errors import ExperimentError, UserError


@pytest.fixture
def folder(repro, run_of):
    assert repro("run", "toy.walk", "--seeds", 3, "--settings.no-draws").code == 0
    return run_of("toy.walk")


def change(folder, edit):
    path = folder / result.NAME
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_it_is_read_as_it_was_written(folder, tmp_path):
    read = result.read(folder)
    copy = tmp_path / "copy"
    folder.rename(copy)
    result.write(copy, read)
    assert result.read(copy) == read


def test_figures_are_the_mean_and_sample_deviation_of_the_seeds(folder, toys):
    read = result.read(folder)
    for figure, declared in zip(read.figures, toys.FIGURES, strict=True):
        values = [seed.values[figure.key] for seed in read.seeds]
        assert figure.values == tuple(values)
        # 4 eps: two summations in another order
        assert figure.mean == pytest.approx(np.mean(values), rel=4 * np.finfo(float).eps)
        assert figure.deviation == pytest.approx(np.std(values, ddof=1), rel=1e-12)  # squares of differences
        assert (figure.label, figure.unit, figure.cause) == (declared.label, declared.unit, declared.cause)
        assert (figure.paper and figure.paper.value) == declared.published
        assert figure.n == 3


def test_one_seed_has_no_deviation(toys):
    assert result.measure(toys.FIGURES[0], (2.0,)).deviation is None


def test_all_that_makes_a_run_is_recorded(folder):
    read = json.loads((folder / result.NAME).read_text())
    assert read["schema"] == 2
    assert read["identity"]["settings"] == {"epochs": 4, "pause": 0.0, "sizes": [1, 2], "draws": False}
    assert read["identity"]["data"] == {"a.png": "0" * 64}
    environment = read["environment"]
    assert environment["python"].count(".") == 2
    assert environment["cores"] >= 1
    assert environment["cpu"]
    assert environment["packages"]["numpy"] == np.__version__
    assert "threads" in environment
    assert all(seed["seconds"] > 0 for seed in read["seeds"])
    assert read["started"] <= read["finished"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda r: r.update(schema=3), "its schema is 3, this version reads 1 and 2"),
        (lambda r: r.pop("figures"), "it has no `figures`"),
        (lambda r: r.update(figures=[]), "it has no figures"),
        (lambda r: r.update(extra=1), "it has an unknown `extra`"),
        (lambda r: r["figures"][0].update(mean="1"), r'`figures\[0\].mean` is "1" where a float is expected'),
        (lambda r: r["figures"][0]["paper"].pop("value"), r"figures\[0\].paper has no `value`"),
        (lambda r: r["identity"].update(preset="huge"), r'`identity.preset` is "huge", none of smoke, quick'),
        (lambda r: r["identity"].update(seeds=True), "`identity.seeds` is true where a int is expected"),
        (lambda r: r["seeds"][0]["values"].update(mean=math.nan), "it holds NaN"),
        (lambda r: r.update(started="\ud800"), r"a \\ud\.\.\. in it is half a character"),
        (lambda r: r["seeds"][0].update(seconds=10**400), r"it holds 10{36}\.\.\., which is too large"),
        (lambda r: r.update(seeds={}), "`seeds` is {} where a list is expected"),
    ],
)
def test_a_damaged_or_foreign_file_is_named_with_the_remedy(folder, edit, message):
    change(folder, edit)
    with pytest.raises(
        UserError, match=rf"result.json is no result that can be read: {message}.*Move .* away"
    ):
        result.read(folder)


def test_a_picture_that_is_missing(folder):
    picture = {"name": "a", "caption": "", "width": 1, "height": 1, "light": "identity.json", "dark": "b.png"}
    change(folder, lambda r: r["pictures"].append(picture))
    with pytest.raises(UserError, match=r"its picture b.png is missing"):
        result.read(folder)


def test_a_result_of_the_first_schema_is_read_as_ever(folder):
    change(folder, lambda r: (r.update(schema=1), r.pop("scenes")))
    read = result.read(folder)
    assert read.schema == 1
    assert read.scenes == ()
    assert read.figures


def test_a_picture_outside_the_folder_is_refused(folder):
    picture = {"name": "a", "caption": "", "width": 1, "height": 1, "light": "../x.png", "dark": "b.png"}
    change(folder, lambda r: r["pictures"].append(picture))
    with pytest.raises(UserError, match=r"its picture \.\./x.png lies outside its folder"):
        result.read(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"'])
def test_a_file_that_holds_something_else(folder, content):
    (folder / result.NAME).write_text(content)
    with pytest.raises(UserError, match=r"result.json is no result that can be read"):
        result.read(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no value for `elsewhere`, `large`, `mean`, `seconds`"),
        (
            {"mean": 1.0, "large": 1.0, "elsewhere": 1.0, "seconds": 1.0, "b": 1, "a": 2},
            "unknown figure `a`, `b`",
        ),
        (
            {"mean": None, "large": 1.0, "elsewhere": 1.0, "seconds": 1.0},
            "None for `mean`, which is no number",
        ),
        (
            {"mean": 1.0, "large": np.inf, "elsewhere": 1.0, "seconds": 1.0},
            "inf for `large`, which is not finite",
        ),
    ],
)
def test_what_is_no_result_of_the_experiment(toys, values, message):
    with pytest.raises(ExperimentError, match=f"toy.walk returned .*{message}"):
        result.check(toys.WALK, values)


def test_numbers_of_other_libraries_become_plain_floats(toys):
    values = {figure.key: np.float32(0.5) for figure in toys.FIGURES}
    checked = result.check(toys.WALK, values)
    assert all(type(value) is float for value in checked.values())
    assert statistics.fmean(checked.values()) == 0.5


def test_a_number_that_would_be_an_infinity():
    with pytest.raises(ValueError, match="it holds 1e999, which is too large"):
        schema.decode("1e999", float)  # pyright: ignore[reportArgumentType]


def test_a_whole_number_in_the_place_of_a_float():
    assert schema.decode("3", float) == 3.0  # pyright: ignore[reportArgumentType]
