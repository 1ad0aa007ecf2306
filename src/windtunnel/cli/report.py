"""``windtunnel report``: a run, sweep, comparison or ablation as one page, or as tables; and pictures without a run."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from windtunnel.cli.main import help_text
from windtunnel.cli.options import AsJson, RunsDir
from windtunnel.cli.pictures import check_picture
from windtunnel.cli.tables import print_table
from windtunnel.errors import UsageError


class PageByDefault(TyperGroup):
    """Takes ``windtunnel report last`` for ``windtunnel report page last``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``page`` in front of words that do not begin with a verb of the group."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["page", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(rich_markup_mode=None, cls=PageByDefault)


@app.callback()
def _report() -> None:
    """Write a run, sweep or comparison as one page, or as tables.

    One HTML file, or tables for a README or paper; ablations too.

    `windtunnel report RUN` is short for `windtunnel report page RUN`.
    """


def page(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SWEEP|COMPARISON|ABLATION|last",
            help="Its folder, its name under the runs folder, or `last` for what changed last.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Page to write; default `report.html` in its folder.")
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="Write each picture as PNG as well, beside the page.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write each table as CSV as well, beside the page.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the main tables in Markdown instead.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print the main tables for LaTeX (booktabs) instead.")] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Write one HTML file that needs no network, or print tables.

    Settings, digests, versions, curves, tables with intervals, devices. Works on what is still going or was killed.
    --png and --csv write into a folder named after the page. `windtunnel report last` is short for the first example.

    Examples:
      windtunnel report page last
      windtunnel report s2_sweep --out sweep.html --png --csv
      windtunnel report runs/comparisons/demo-33f17cbb --markdown >> README.md
    """
    from windtunnel.publish.find import find_subject
    from windtunnel.publish.write import Extra, build_document, check_place, write_document
    from windtunnel.report.tables import format_for_paper

    _check_together(out, files=png or as_csv or as_json, markdown=markdown, latex=latex)
    subject = find_subject(reference, runs_dir)
    target = out or subject.folder / "report.html"
    check_place(target)
    document = build_document(subject)
    if markdown or latex:
        tables = format_for_paper(document, "latex" if latex else "markdown")
        if not tables:
            raise UsageError(f"{subject.folder} has no result for a table yet")
        print(tables)
        return
    wanted: dict[Extra, bool] = {"png": png, "csv": as_csv}
    written = write_document(document, target, extras=frozenset(kind for kind in wanted if wanted[kind]))
    _print_written(written, as_json=as_json)


def _check_together(out: Path | None, *, files: bool, markdown: bool, latex: bool) -> None:
    if markdown and latex:
        raise UsageError("--markdown and --latex: choose one")
    if (markdown or latex) and (files or out is not None):
        option = "--markdown" if markdown else "--latex"
        raise UsageError(f"{option} prints tables and writes no file; leave out --out, --png, --csv and --json")


def _print_written(written: list[Path], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"page": str(written[0]), "files": [str(path) for path in written[1:]]}, indent=2))
        return
    print(written[0])
    if len(written) > 1:
        print(f"{len(written) - 1} pictures and tables: {written[1].parent}")


def deb_flops(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Picture to write.")] = Path("deb-flops.svg"),
    as_json: AsJson = False,
) -> None:
    """Draw what double-encode bottlenecks cost over their two reductions (S0's graphic).

    Examples:
      windtunnel report deb-flops
      windtunnel report deb-flops --out deb.png
      windtunnel report deb-flops --json
    """
    from windtunnel.report.deb_flops import compute_grid, save_deb_flops

    if as_json:
        print_table(
            [
                {
                    "n": cost.first,
                    "m": cost.second,
                    "double_encode": float(cost.double_encode),
                    "bottleneck": float(cost.bottleneck),
                }
                for cost in compute_grid()
            ],
            as_json=True,
        )
        return
    check_picture("--out", out)
    print(save_deb_flops(out))


app.command("page", help=help_text(page))(page)
app.command("deb-flops", help=help_text(deb_flops))(deb_flops)
