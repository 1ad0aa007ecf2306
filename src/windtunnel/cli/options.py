"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Reference = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Name of a recipe (`windtunnel recipes`) or path of a YAML file.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="FIELD=VALUE", help="Settings to change, e.g. optim.lr=0.05.")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
