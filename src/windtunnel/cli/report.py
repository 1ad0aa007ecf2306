"""``windtunnel report``: pictures that need no run."""

from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.main import help_text
from windtunnel.cli.options import AsJson
from windtunnel.cli.tables import print_table
from windtunnel.errors import UsageError

app = typer.Typer(rich_markup_mode=None)
_FORMATS = (".svg", ".png", ".pdf")


@app.callback()
def _report() -> None:
    """Draw pictures that need no run."""


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
    if out.suffix not in _FORMATS:
        raise UsageError(f"--out: {out} does not end with one of {', '.join(_FORMATS)}")
    if not out.parent.is_dir():
        raise UsageError(f"--out: there is no folder {out.parent}")
    print(save_deb_flops(out))


app.command("deb-flops", help=help_text(deb_flops))(deb_flops)
