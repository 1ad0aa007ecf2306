"""``--nproc``: one run trained by several processes."""

from pathlib import Path
from typing import Annotated

import typer

Processes = Annotated[
    int,
    typer.Option(
        "--nproc",
        metavar="N",
        min=1,
        help="Processes that train together, each on its share of every batch: one a GPU, or on the CPU.",
    ),
]


def launch_and_exit(
    words: list[str],
    *,
    processes: int,
    runs_dir: Path | None,
    as_json: bool,
    quiet: bool,
    go_on: str,
) -> None:
    """Run the verb in ``processes`` processes and exit as the first of them does.

    Args:
        words: the verb and its own arguments.
        processes: how many.
        runs_dir: option of the verb.
        as_json: option of the verb.
        quiet: option of the verb.
        go_on: run to name in the command that goes on with it.
    """
    from windtunnel.training.distributed import launch

    where = [] if runs_dir is None else ["--runs-dir", str(runs_dir)]
    said = [*(["--json"] if as_json else []), *(["--quiet"] if quiet else [])]
    command = " ".join(["windtunnel resume", go_on, "--nproc", str(processes), *where])
    raise typer.Exit(launch([*words, *where, *said], processes=processes, go_on=command))
