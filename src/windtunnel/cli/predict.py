"""``windtunnel predict``: answers of trained runs for new images."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from windtunnel.cli.options import RunsDir, Tta, Weights


def predict(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Runs by folder or name, or `last`; of several, the mean is taken."),
    ],
    images: Annotated[
        Path, typer.Option(help="An image, a folder of images, .npz, .npy, .parquet or a pickled dict of arrays.")
    ],
    out: Annotated[Path, typer.Option(help="CSV to write.")],
    sample_submission: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Keep its header and its rows in its order; ids are checked.")
    ] = None,
    header: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Columns without a sample, e.g. ID,Labels: the ids, the label.")
    ] = None,
    labels: Annotated[
        Literal["index", "name"] | None, typer.Option(help="Classes by number or name; default as in the sample.")
    ] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="A column for each class as well.")] = False,
    tta: Tta = None,
    weights: Weights = "result",
    runs_dir: RunsDir = None,
) -> None:
    """Write the classes of new images as CSV, in a competition's form if wanted.

    Examples:
      windtunnel predict last --images photos/ --out predictions.csv
      windtunnel predict last --images test.pkl --sample-submission sample.csv --out submission.csv --tta flip
      windtunnel predict RUN1 RUN2 RUN3 --images test.npz --header ID,Labels --out submission.csv
    """
    from windtunnel.training.predict import predict as predict_images

    count = predict_images(
        runs,
        images=images,
        out=out,
        sample_submission=sample_submission,
        header=[name.strip() for name in header.split(",")] if header is not None else None,
        labels=labels,
        probabilities=probabilities,
        tta=tta,
        weights=weights,
        runs_dir=runs_dir,
    )
    print(f"{count:,} predictions in {out}")
