"""``windtunnel eval``: how good a trained run is on a part of its data."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from windtunnel.cli.options import AsJson, RunReference, RunsDir, Tta, Weights
from windtunnel.cli.tables import format_table

if TYPE_CHECKING:
    from windtunnel.training.inspect import EvalResult


def eval(
    run: RunReference,
    split: Annotated[
        Literal["validation", "test"], typer.Option(help="Choose by validation; read test once, at the end.")
    ] = "validation",
    tta: Tta = None,
    weights: Weights = "last",
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Measure a trained run on its validation or test images.

    Prints loss, accuracy, top-5 accuracy and the accuracy of each class.

    Examples:
      windtunnel eval last
      windtunnel eval runs/default/20261122-101500-airbench94-1f3a --split test --tta flip_translate
    """
    from windtunnel.training.inspect import evaluate

    result = evaluate(run, split=split, tta=tta, weights=weights, runs_dir=runs_dir)
    if as_json:
        print(json.dumps({**asdict(result), "folder": str(result.folder)}, indent=2))
        return
    print(f"{result.folder.name}, {result.metrics.images:,} {split} images, {weights} weights, views: {result.tta}\n")
    print(format_table(_rows(result)))


def _rows(result: "EvalResult") -> list[dict[str, Any]]:
    metrics = result.metrics
    figures = {"loss": f"{metrics.loss:.4f}", "accuracy": _percent(metrics.accuracy)}
    if metrics.top5_accuracy is not None:
        figures["top-5 accuracy"] = _percent(metrics.top5_accuracy)
    figures |= {f"class {name}": _percent(value) for name, value in metrics.per_class.items()}
    return [{"figure": name, "value": value} for name, value in figures.items()]


def _percent(fraction: float | None) -> str:
    return "no images" if fraction is None else f"{fraction:.2%}"
