r"""The figures as LaTeX tables that need the package `booktabs` and nothing else."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING

from repro import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repro.result import Measured, Result

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after a line's `\\` it would begin an option
    "]": "{]}",
    "\N{NO-BREAK SPACE}": "~",
    "—": "---",
    "–": "--",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
}
MATHS = {
    "±": r"\pm", "×": r"\times", "−": "-", "·": r"\cdot", "≤": r"\le", "≥": r"\ge", "≠": r"\ne",
    "≈": r"\approx", "∞": r"\infty", "√": r"\surd", "→": r"\to", "←": r"\leftarrow", "↑": r"\uparrow",
    "↓": r"\downarrow", "∈": r"\in", "∂": r"\partial", "∇": r"\nabla", "∑": r"\sum", "∫": r"\int",
    "°": r"^{\circ}", "µ": r"\mu",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "ζ": r"\zeta",
    "η": r"\eta", "θ": r"\theta", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "ν": r"\nu", "ξ": r"\xi",
    "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "φ": r"\varphi", "χ": r"\chi", "ψ": r"\psi",
    "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda", "Σ": r"\Sigma",
    "Φ": r"\Phi", "Ω": r"\Omega",
}  # fmt: skip
ACCENTS = {"0300", "0301", "0302", "0303", "0304", "0306", "0307", "0308", "030A", "030B", "030C", "0327"}
LETTERS = "ßæÆøØœŒłŁ"
"""With the accents, what LaTeX prints in its first font without further packages."""
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
HEADS = ("Experiment", "Figure", "Unit", "Ours", "Paper", "Preset", "Comparable")


def table(runs: Iterable[Result]) -> str:
    r"""Writes one table for each paper, in the order given.

    Where a figure was measured on other data than the paper's, the last column says no. `Ours` is the mean
    plus or minus the sample standard deviation, with the number of seeds.

    Example:
        >>> table([])
        '% Needs \\usepackage{booktabs}; written by repro report.\n'
    """
    lines = [r"% Needs \usepackage{booktabs}; written by repro report."]
    for _, group in groupby(runs, key=lambda run: run.paper.key):
        of_paper = list(group)
        paper = of_paper[0].paper
        caption = f"{paper.authors}, {paper.title}, {paper.venue}: published and measured."
        lines += [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            r"\begin{tabular}{lllrrll}",
            r"\toprule",
            rf"{' & '.join(HEADS)} \\",
        ]
        for run in of_paper:
            lines += [r"\midrule", *(_row(run, figure, i == 0) for i, figure in enumerate(run.figures))]
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""Writes a text so that LaTeX prints it and executes nothing in it.

    Letters of Latin scripts stay, signs and Greek letters become mathematics; any other character, for which
    pdfLaTeX has no glyph without further packages, is named by its code.

    >>> print(escape("50 % of $x_1 \\input{a}"))
    50 \% of \$x\_1 \textbackslash{}input\{a\}
    >>> print(escape("(3.20 ± 0.10) × 10⁻⁷"), escape("中"))
    (3.20 \ensuremath{\pm} 0.10) \ensuremath{\times} 10\textsuperscript{-7} {[}U+4E2D{]}
    """
    words = " ".join(text.split())  # a line's end, a form feed: an empty line would end the table's row
    pieces = re.split(r"([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|[₀₁₂₃₄₅₆₇₈₉]+)", words)
    return "".join(
        rf"\textsuperscript{{{piece.translate(RAISED)}}}"
        if piece[:1] in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹" and piece
        else rf"\textsubscript{{{piece.translate(LOWERED)}}}"
        if piece[:1] in "₀₁₂₃₄₅₆₇₈₉" and piece
        else "".join(map(_character, piece))
        for piece in pieces
    )


def _character(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character in MATHS:
        return rf"\ensuremath{{{MATHS[character]}}}"
    base, _, accent = unicodedata.decomposition(character).partition(" ")
    is_accented = accent in ACCENTS and int(base, 16) < 128
    if " " <= character <= "~" or is_accented or character in LETTERS:
        return character
    return f"{{[}}U+{ord(character):04X}{{]}}"


def _row(run: Result, figure: Measured, is_first: bool) -> str:
    seeds = "1 seed" if figure.n == 1 else f"{figure.n} seeds"
    ours = f"{numbers.number(figure.mean, figure.deviation)} ({seeds})"
    paper = "—" if figure.paper is None else numbers.exact(figure.paper.value, figure.paper.deviation)
    cells = (
        run.identity.experiment if is_first else "",
        figure.label,
        figure.unit,
        ours,
        paper,
        run.identity.preset + (", changed" if run.changed else ""),
        "yes" if figure.comparable else "no",
    )
    return rf"{' & '.join(map(escape, cells))} \\"
