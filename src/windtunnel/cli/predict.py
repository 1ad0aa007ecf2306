"""``windtunnel predict``: a trained run's answers for new images."""

from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.options import RunReference, RunsDir, Tta, Weights


def predict(
    run: RunReference,
    images: Annotated[Path, typer.Option(help="An image, a folder of images or an .npz with `images`.")],
    out: Annotated[Path, typer.Option(help="CSV to write: file, label, class, probability.")],
    tta: Tta = None,
    weights: Weights = "last",
    runs_dir: RunsDir = None,
) -> None:
    """Write the classes of new images as CSV.

    Examples:
      windtunnel predict last --images photos/ --out predictions.csv
      windtunnel predict last --images digit.png --out predictions.csv --tta flip
    """
    from windtunnel.training.predict import predict as predict_images

    count = predict_images(run, images=images, out=out, tta=tta, weights=weights, runs_dir=runs_dir)
    print(f"{count:,} predictions in {out}")
