from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import strangers
from hypothesis import given
from hypothesis import strategies as st

from repro import export, latex, result


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_holds_every_figure_of_every_run_with_all_digits(repro, run_of):
    repro("run", "toy.walk", "--settings.no-draws", "--seeds", 2)
    repro("run", "toy.walk", "--settings.no-draws", "--settings.epochs", 3)
    repro("run", "toy.two")
    assert repro("report", "--csv", "out/figures.csv", "--latex", "out/figures.tex").code == 0
    found = rows(Path("out/figures.csv").read_text())
    assert len(found) == 4 + 4 + 1
    read = {r.sha256: r for r in map(result.read, Path("runs").glob("*/2*"))}
    for row in found:
        run = read[row["identity"]]
        (figure,) = (f for f in run.figures if f.key == row["figure"])
        assert float(row["mean"]) == figure.mean  # the same float, not a near one
        assert json.loads(row["values"]) == list(figure.values)
        assert row["deviation"] == ("" if figure.deviation is None else repr(figure.deviation))
        assert (row["paper_value"] and float(row["paper_value"])) == (
            figure.paper.value if figure.paper else ""
        )
        assert row["comparable"] == ("true" if figure.comparable else "false")
        assert json.loads(row["settings"]) == run.identity.settings
        assert json.loads(row["packages"]) == run.environment.packages | run.identity.packages
        assert (row["device"], row["commit"]) == ("cpu", run.environment.commit or "")
    assert Path("out/figures.tex").read_text().startswith("% Needs \\usepackage{booktabs}")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "  @"])
def test_no_text_begins_as_a_formula(repro, run_of, start):
    folder = Path("runs/toy.two")
    repro("run", "toy.two")
    folder = run_of("toy.two")
    attack = start + 'HYPERLINK("a","b")'
    strangers.change(
        folder, lambda r: (r["figures"][0].update(label=attack, mean=-2.5), r.update(sha256=attack))
    )
    (row,) = rows(export.table([(folder, result.read(folder))]))
    assert row["label"] == row["identity"] == "'" + attack
    assert float(row["mean"]) == -2.5  # a number stays one


@given(st.text())
def test_every_text_is_read_back_and_never_begins_as_a_formula(text):
    file = io.StringIO()
    csv.writer(file).writerow([export.cell(text), "end"])
    ((cell, end),) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert end == "end"
    assert cell in (text, f"'{text}")
    assert not cell.lstrip(" ").startswith(export.FORMULA)


# LaTeX. There is no TeX where the tests run: what follows reads its grammar as far as the tables use it

COMMAND = re.compile(r"\\([a-zA-Z]+|.)")


def executed(text):
    """The commands in a text, where a text of a stranger must bring none that does more than print."""
    return {match[1] for match in COMMAND.finditer(text)}


PRINTS = {
    *"{}$&#%_",
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "ldots"),
    *("ensuremath", "textsuperscript", "textsubscript"),
    *(sign.strip("\\^{}").split("\\")[-1] for sign in latex.MATHS.values() if sign != "-"),
}


def balanced(text):
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        assert depth >= 0
    return depth == 0


@given(st.text(max_size=60) | st.text("\\{}$&#%_^~<>|\"[]`'\n\t aé×⁻⁷₂中", max_size=40))
def test_an_escaped_text_prints_and_does_nothing_else(text):
    escaped = latex.escape(text)
    assert executed(escaped) <= PRINTS
    assert balanced(escaped)
    bare = re.sub(r"\\[{}$&#%_]", "", escaped)
    assert not re.search(r"[$&#%_]", bare)  # no cell, comment, parameter or mathematics begins
    assert "^" not in bare.replace(r"\ensuremath{^{\circ}}", "")
    assert "\n" not in escaped


def test_signs_are_printed_as_they_are_meant():
    assert latex.escape("a_b & 50 % {x}") == r"a\_b \& 50 \% \{x\}"
    assert latex.escape("x² ≤ µm, 3 × 10⁻⁷, H₂O, Möbius, “so”") == (
        r"x\textsuperscript{2} \ensuremath{\le} \ensuremath{\mu}m, "
        r"3 \ensuremath{\times} 10\textsuperscript{-7}, "
        r"H\textsubscript{2}O, Möbius, ``so''"
    )
    assert latex.escape("\\input{/etc/passwd}") == r"\textbackslash{}input\{/etc/passwd\}"
    assert latex.escape("я") == "{[}U+044F{]}"


def test_the_tables(repro, run_of):
    repro("run", "toy.walk", "--settings.no-draws", "--seeds", 2)
    strangers.change(run_of("toy.walk"), lambda r: r["figures"][3].update(label="a\\\\[9cm] & b % c"))
    read = result.read(run_of("toy.walk"))
    other = replace(read, paper=replace(read.paper, key="other", authors="Noether & Co."))
    text = latex.table([read, other])
    assert balanced(text)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    assert executed(text) - PRINTS == {
        "\\", "usepackage", "begin", "end", "centering", "caption", "toprule", "midrule", "bottomrule",
    }  # fmt: skip
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 2 * (1 + 4)
    for line in lines:
        cells = re.split(r"(?<!\\)&", line.removesuffix(r"\\"))
        assert len(cells) == 7 == len(latex.HEADS)
    mean, _, elsewhere, seconds = lines[1:5]
    assert mean.startswith(r"toy.walk & mean place &  & ")
    assert r" \ensuremath{\pm} " in mean
    assert mean.endswith(r"(2 seeds) & 0.75 \ensuremath{\pm} 0.01 & smoke, changed & yes \\")
    assert elsewhere.endswith(r" & 987.25 & smoke, changed & no \\")
    assert r" & a\textbackslash{}\textbackslash{}{[}9cm{]} \& b \% c & s & " in seconds
    assert seconds.endswith(r" & --- & smoke, changed & yes \\")
    assert "Noether \\& Co." in text
