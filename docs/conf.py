"""Sphinx: the documentation site of the workspace."""

import re
from typing import Any

project = "Piecewise"
author = "the Piecewise authors"
copyright = "2026, the Piecewise authors"  # noqa: A001  (the name that Sphinx reads)

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_parser",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

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


def rewrite(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Passes each docstring through `as_restructured_text`, before napoleon sees it."""
    lines[:] = as_restructured_text("\n".join(lines)).split("\n")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", rewrite, priority=400)
