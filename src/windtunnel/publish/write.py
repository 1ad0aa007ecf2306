"""Writing a report: one page, and beside it the pictures and tables it shows, each file whole or not at all."""

from pathlib import Path
from typing import Literal

from windtunnel.core.files import replacing, write_text
from windtunnel.errors import UsageError
from windtunnel.publish.find import Subject
from windtunnel.report.document import Document
from windtunnel.report.page import render_page
from windtunnel.report.tables import format_csv
from windtunnel.report.theme import house_style

Extra = Literal["png", "csv"]


def build_document(subject: Subject) -> Document:
    """Return everything a report says of ``subject``.

    Raises:
        WindtunnelError: one of its files is damaged.
    """
    try:
        return _build_document(subject)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise UsageError(
            f"{subject.folder} cannot be reported, since one of its files does not hold what windtunnel writes there: "
            f"{type(error).__name__}: {error}"
        ) from error


def _build_document(subject: Subject) -> Document:
    if subject.kind == "run":  # each kind imports what it alone needs: statistics and forests take a while to load
        from windtunnel.report.load import load_run
        from windtunnel.report.run_page import build_run_document

        return build_run_document(load_run(subject.folder))
    if subject.kind == "sweep":
        from windtunnel.publish.sweep_page import build_sweep_document

        return build_sweep_document(subject.folder)
    if subject.kind == "ablation":
        from windtunnel.publish.ablation_page import build_ablation_document

        return build_ablation_document(subject.folder)
    from windtunnel.publish.comparison_page import build_comparison_document

    return build_comparison_document(subject.folder)


def write_document(document: Document, page: Path, *, extras: frozenset[Extra] = frozenset()) -> list[Path]:
    """Write the page, and the ``extras`` into a folder of its name beside it; return what was written, the page first.

    Raises:
        UsageError: the page cannot be written there.
    """
    check_place(page)
    try:
        write_text(page, render_page(document))
        return [page, *_write_extras(document, page.with_suffix(""), extras)]
    except OSError as error:
        raise UsageError(f"the report cannot be written to {page}: {error}; choose another place with --out") from error


def check_place(page: Path) -> None:
    """Do nothing when a page may be written to ``page``.

    Raises:
        UsageError: it does not end with .html, or its folder does not exist.
    """
    if page.suffix not in (".html", ".htm"):
        raise UsageError(f"--out: {page} does not end with .html")
    if not page.parent.is_dir():
        raise UsageError(f"--out: there is no folder {page.parent}")


def _write_extras(document: Document, folder: Path, extras: frozenset[Extra]) -> list[Path]:
    if not extras:
        return []
    folder.mkdir(exist_ok=True)
    written: list[Path] = []
    if "png" in extras:
        for picture in document.pictures():
            path = folder / f"{picture.name}.png"
            with house_style(), replacing(path) as temporary:
                picture.figure.savefig(temporary, format="png", dpi=150)
            written.append(path)
    if "csv" in extras:
        for table in document.tables():
            path = folder / f"{table.name}.csv"
            write_text(path, format_csv(table))
            written.append(path)
    return written
