"""Sphinx settings of the documentation: `make docs` builds it into build/docs, without the network."""

import sys
from pathlib import Path

from windtunnel import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "windtunnel"
author = "The windtunnel authors"
version = release = __version__

extensions = ["myst_parser", "write_reference"]
myst_heading_anchors = 3
exclude_patterns = ["_ext", "images"]
nitpicky = True

html_theme = "furo"
html_title = f"windtunnel {__version__}"
html_copy_source = False
html_show_sphinx = False
# Code on the page is YAML, Python or shell as its fence says; a fence that says nothing is shown as it is.
highlight_language = "none"
