"""Sphinx extension: writes the reference pages from the code before each build, so that they cannot be out of date.

The pages lie in `docs/reference/` and are not committed: `windtunnel VERB --help` and `windtunnel schema` say the same
in a terminal.
"""

from pathlib import Path
from typing import Any

import cli_pages
import config_pages
from sphinx.application import Sphinx

from windtunnel.core.files import write_text


def setup(app: Sphinx) -> dict[str, Any]:
    """Have the pages written when a build begins."""
    app.connect("builder-inited", _write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write_pages(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference"
    pages = {"cli.md": cli_pages.render(), **config_pages.render()}
    for stale in {path.name for path in folder.glob("*.md")} - set(pages):
        (folder / stale).unlink(missing_ok=True)
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:  # an equal page is not read again
            write_text(path, text)
