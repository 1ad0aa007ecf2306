"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Reference = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Name of a recipe (`windtunnel recipes`) or path of a YAML file.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="FIELD=VALUE", help="Settings to change, e.g. optim.lr=0.05.")
]
RunReference = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's folder, the name of one under the runs folder, or `last`.")
]
RunsDir = Annotated[Path | None, typer.Option(help="Folder of run folders; default $WINDTUNNEL_RUNS_DIR or ./runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Track = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TRACKER",
        help="Tell tensorboard, wandb, mlflow or trackio as well; may be given several times, `none` for none. "
        "Default $WINDTUNNEL_TRACK, and for a run that goes on those it has had.",
    ),
]
Tta = Annotated[
    str | None,
    typer.Option(
        metavar="VIEWS",
        help="Views averaged for each image: none, flip, flip_translate, five_views, or a mapping such as "
        "'{name: flip, only_least_confident: 0.2}'; default the run's own.",
    ),
]
Weights = Annotated[
    Literal["result", "last", "best", "ema"],
    typer.Option(
        help="The run's last weights, its best by validation, or their moving average; `result` those that the run "
        "was tested with: the best where it stops early, else the last."
    ),
]


def as_options(track: list[str] | None) -> list[str]:
    """Return the words that hand ``--track`` on to another command.

    >>> as_options(["wandb", "mlflow"])
    ['--track', 'wandb', '--track', 'mlflow']
    """
    return [word for name in track or () for word in ("--track", name)]
