"""How the site is built: `make docs`, without a network; a warning is an error."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.metadata import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # sums are rounded in the same order on every machine

import api_pages  # noqa: E402

import dnn_topology  # noqa: E402

project = "dnn-topology"
author = "The dnn-topology developers"
copyright = author  # noqa: A001  # Sphinx calls it so
release = dnn_topology.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "public_names",
]
exclude_patterns = ["_build", "guide", "gallery", "Thumbs.db"]
nitpicky = True
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(?!dnn_topology\b).*",
    ),  # other libraries: their inventories would need a network
    ("py:class", r"dnn_topology\.\w+\..*"),  # types in signatures that have no public name
]
default_role = "public"  # `record` is a link, `n_inputs` is code
suppress_warnings = [
    "config.cache",  # sphinx-gallery settings hold objects; that costs an incremental build only
    "myst.header",  # tables that a benchmark left begin at a lower level
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = (
    False  # signatures made of settings have no source to look defaults up in
)
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = [("Source", "returns_style")]

sphinx_gallery_conf = {
    "examples_dirs": [str(HERE / "guide"), str(HERE / "gallery")],
    "gallery_dirs": ["generated/guide", "generated/gallery"],
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "ignore_repr_types": r"matplotlib|'list'|'tuple'",  # a list of artists tells nobody anything
    "min_reported_time": 3600,
    "plot_gallery": os.environ.get("GALLERY", "1") == "1",
    "image_scrapers": ("matplotlib",),
    "remove_config_comments": True,
    "nested_sections": False,
}
warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")

templates_path = ["_templates"]
html_theme = "furo"
html_title = f"dnn-topology {release}"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
# The address of the sources, once there is one, has its place in pyproject.toml's [project.urls] and nowhere else.
_urls = dict(
    line.split(", ", 1) for line in metadata("dnn-topology").get_all("Project-URL") or []
)
html_theme_options = (
    {
        "source_repository": _urls["Source"],
        "source_branch": "main",
        "source_directory": "docs/",
    }
    if ("Source" in _urls)
    else {}
)

api_pages.write(HERE / "reference")
