"""A run's own page, written beside its files."""

from pathlib import Path

from windtunnel.core.files import write_text
from windtunnel.report.load import Run, load_run
from windtunnel.report.page import render_page
from windtunnel.report.run_page import build_run_document


def write_report(run_dir: Path) -> Path:
    """Write the run in ``run_dir`` as ``report.html`` beside its files and return that path."""
    path = run_dir / "report.html"
    write_text(path, render_report(load_run(run_dir)))
    return path


def render_report(run: Run) -> str:
    """Return the page of ``run`` as text; everything the user wrote is escaped."""
    return render_page(build_run_document(run))
