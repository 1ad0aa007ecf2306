"""``windtunnel export``: a trained network for others."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from windtunnel.cli.options import RunReference, RunsDir, Weights
from windtunnel.errors import UsageError

_ENDS_OF_FILES = {".onnx", ".pt2", ".pt", ".pth", ".safetensors"}


def export(
    run: RunReference,
    format: Annotated[
        Literal["onnx", "torch", "state_dict"],
        typer.Option(help="ONNX, a torch.export program (.pt2), or the plain weights (.safetensors)."),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the network and its model_card.md go.")],
    weights: Weights = "result",
    runs_dir: RunsDir = None,
) -> None:
    """Write a trained network for use elsewhere, checked against the run, with a model card.

    ONNX and torch.export files take uint8 images and normalise them themselves.

    Examples:
      windtunnel export last --format onnx --out exported
      windtunnel export last --format state_dict --out weights --weights best
    """
    from windtunnel.training.export import export as export_run

    if out.suffix.lower() in _ENDS_OF_FILES and not out.is_dir():
        raise UsageError(f"--out: {out} has the ending of a file; name a folder for network and card, e.g. {out.stem}")
    result = export_run(run, format=format, out=out, weights=weights, runs_dir=runs_dir)
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    print("\n".join(str(path) for path in result.files))
    if result.missing:
        print(f"the data set cannot be opened here, so the check is on noise: {result.missing}")
    print(f"checked on {result.images} images: logits differ by at most {result.largest_difference:.2g}")
    print(f"written with {versions}")
