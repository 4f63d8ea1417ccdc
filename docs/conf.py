"""Configuration of the documentation site; `nox -s docs` builds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import latex2mathml.converter

import fastpgs

os.environ.setdefault("MPLBACKEND", "agg")

project = "fastpgs"
author = "The fastpgs developers"
release = version = fastpgs.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build", "gallery"]
html_theme = "pydata_sphinx_theme"
html_title = "fastpgs"
html_theme_options = {
    "navigation_with_keys": True,
    "show_toc_level": 2,
    "footer_start": ["research"],
    "footer_end": [],
    "announcement": "Research use only. Not a medical device: not for diagnosis or treatment.",
}
templates_path = ["_templates"]
html_show_sourcelink = False
html_math_renderer = "mathml"
# Pages have no pages below them, but for the examples: a column of links would be empty.
html_sidebars = {path.stem: [] for path in (*Path(__file__).parent.glob("*.md"), Path("api"))}
smartquotes = False  # "--resume" is an option, not a dash

autodoc_typehints = "none"  # numpydoc says the types
default_role = "code"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# The Markdown pages are read in the repository too, where they link to files that are no pages here.
suppress_warnings = ["myst.xref_missing", "myst.header", "config.cache"]
doctest_test_doctest_blocks = "default"

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"plot_.*\.py",
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib",),
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "plot_gallery": os.environ.get("FASTPGS_GALLERY", "1") == "1",
}


def _visit_math(self: Any, node: Any) -> None:
    """Equations as MathML, which browsers draw by themselves: no script from elsewhere."""
    import docutils.nodes

    display = "block" if isinstance(node, docutils.nodes.math_block) else "inline"
    self.body.append(latex2mathml.converter.convert(node.astext(), display=display))
    raise docutils.nodes.SkipNode


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math, None))
