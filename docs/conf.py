"""Sphinx: the documentation site of the workspace."""

import importlib
import re
import shutil
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any

from sphinx.ext import autosummary

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for the modules beside this one

import benchmark_page  # noqa: E402

project = "Piecewise"
author = "the Piecewise authors"
copyright = "2026, the Piecewise authors"  # noqa: A001  (the name that Sphinx reads)

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_parser",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", ".*"),  # types in signatures, of torch and jaxtyping above all
    ("py:obj", r"nurbs_diff\._refinement\.operations\.Spline|repro\.experiment\.S"),  # their type variables
]

autosummary.WELL_KNOWN_ABBREVIATIONS += ("eq.", "eqs.")  # a summary does not end there

myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature has them; a shape such as "*batch" is no emphasis

plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("svg", 100)]
plot_rcparams = {"figure.figsize": (6.4, 3.2), "figure.constrained_layout.use": True}
plot_apply_rcparams = True

html_theme = "furo"
html_title = "Piecewise"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["wide_formulae.js"]
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b62a3", "color-brand-content": "#0b62a3"},
    "dark_css_variables": {"color-brand-primary": "#7cbcf2", "color-brand-content": "#7cbcf2"},
}

# Formulae without a request that leaves the site: MathJax comes with a wheel, see `bundle_mathjax`.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}  # the menu would load what is not bundled


def as_restructured_text(docstring: str) -> str:
    """Rewrites what our docstrings borrow from Markdown (`code`, $inline$, $$displayed$$), and (*shapes,)."""

    def displayed(match: re.Match[str]) -> str:
        start = docstring.rfind("\n", 0, match.start()) + 1
        indent = " " * (len(docstring[start:]) - len(docstring[start:].lstrip(" ")))
        formula = " ".join(match[1].split())
        return f"\n\n{indent}.. math:: {formula}\n\n{indent}"

    docstring = re.sub(r"(?<![`:\w])`([^`]+?)`(?![`_])", r"``\1``", docstring)
    docstring = re.sub(r"(?<=[(\s])\*(?=#?\w+[,)])", r"\\*", docstring)  # shapes such as (*batch, n)
    docstring = re.sub(r"[ ]*\$\$(.+?)\$\$[ ]*\n?[ ]*", displayed, docstring, flags=re.DOTALL)
    return re.sub(r"\$([^$]+?)\$", lambda match: f":math:`{' '.join(match[1].split())}`", docstring)


def rewrite(_app: Any, _what: str, _name: str, value: Any, _options: Any, lines: list[str]) -> None:
    """Passes each docstring through `as_restructured_text`, before napoleon sees it."""
    if isinstance(value, float):  # the docstring is that of `float`; the page has the constant's
        lines.clear()
    lines[:] = as_restructured_text("\n".join(lines)).split("\n")


def insert_benchmarks(_app: Any, page: str, source: list[str]) -> None:
    """Writes figures and tables into a package's pages of benchmarks and peers, out of its kept results."""
    if page.endswith(("/benchmarks", "/peers")):
        source[0] = benchmark_page.filled(source[0], (HERE / page).with_name("benchmarks.json"))


def insert_summaries(_app: Any, page: str, source: list[str]) -> None:
    """Puts a table of the public names of a module where a page says `<!-- summary: MODULE -->`."""

    def summary(match: re.Match[str]) -> str:
        module = importlib.import_module(match[1])
        names = [name for name in module.__all__ if not name.startswith("_")]
        names = [name for name in names if not isinstance(getattr(module, name), float)]  # documents `float`
        block = [f".. currentmodule:: {match[1]}", "", ".. autosummary::", "   :nosignatures:", ""]
        return "\n".join(["```{eval-rst}", *block, *(f"   {name}" for name in names), "```"])

    source[0] = re.sub(r"<!-- summary: ([\w.]+) -->", summary, source[0])


def drop_modules_without_source(app: Any) -> list[Any]:
    """Takes `builtins`, where our constants come from, out of the index of sources: it has no page there."""
    modules = app.env._viewcode_modules
    for name in [name for name, entry in modules.items() if not entry]:
        del modules[name]
    return []


def bundle_mathjax(app: Any, exception: Exception | None) -> None:
    """Copies what our pages need of MathJax 3: its program for TeX, extensions of TeX, fonts; 2 MB of 24."""
    wanted = re.compile(
        r"static/(mathjax/(?:tex-chtml\.js|input/tex/extensions/.*|output/chtml/fonts/woff.*))"
    )
    if exception or app.builder.format != "html":
        return
    for file in files("sphinx-mathjax-offline") or []:
        if match := wanted.search(file.as_posix()):
            target = Path(app.outdir) / "_static" / match[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", rewrite, priority=400)
    app.connect("source-read", insert_benchmarks)
    app.connect("source-read", insert_summaries)
    app.connect("html-collect-pages", drop_modules_without_source, priority=400)  # before viewcode's own
    app.connect("build-finished", bundle_mathjax)
