"""``windtunnel eval``: how good a trained run is on a part of its data."""

import json
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from windtunnel.cli.options import AsJson, RunReference, RunsDir, Tta, Weights
from windtunnel.cli.shift import ShiftRequest, show_shift
from windtunnel.cli.tables import format_table

if TYPE_CHECKING:
    from windtunnel.training.evaluated import EvalResult

_MOST_CLASSES = 20


def eval(
    run: RunReference,
    split: Annotated[
        Literal["validation", "test"], typer.Option(help="Choose by validation; read test once, at the end.")
    ] = "validation",
    tta: Tta = None,
    weights: Weights = "result",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures and tables; default `evaluation-<split>` in the run's folder."),
    ] = None,
    shift: Annotated[
        bool, typer.Option("--shift", help="On corrupted copies of the validation images instead; see docs/shift.md.")
    ] = False,
    target: Annotated[
        Path | None,
        typer.Option(metavar="SET", help="With --shift: estimate the accuracy on these images without labels."),
    ] = None,
    shift_images: Annotated[
        int | None, typer.Option(min=1, help="With --shift: take only so many validation images.")
    ] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Measure a trained run on its validation or test images.

    Prints loss, accuracy, calibration, scores of each class and which classes are taken for each other; writes them
    with confusion.png, reliability.png and errors.png (the surest mistakes).

    Examples:
      windtunnel eval last
      windtunnel eval last --split test --tta five_views
      windtunnel eval last --tta '{name: flip_translate, only_least_confident: 0.2}' --out figures
      windtunnel eval last --shift --target competition/test.npz
    """
    if shift or target is not None or shift_images is not None:
        request = ShiftRequest(shift, split, target, shift_images)
        show_shift(run, request, tta=tta, weights=weights, out=out, runs_dir=runs_dir, as_json=as_json)
        return
    from windtunnel.core.files import strip_nonfinite
    from windtunnel.training.evaluation_files import describe_result
    from windtunnel.training.folder import open_run
    from windtunnel.training.inspect import evaluate

    folder = out or open_run(run, runs_dir).path / f"evaluation-{split}"
    result = evaluate(run, split=split, tta=tta, weights=weights, out=folder, runs_dir=runs_dir)
    if as_json:
        print(json.dumps(strip_nonfinite(describe_result(result)), indent=2))
        return
    subject = f"{result.metrics.images:,} {split} images, {result.weights} weights, views: {result.tta}"
    print(f"{result.folder.name}, {subject}\n")
    print("\n\n".join(section for section in _sections(result) if section))


def _sections(result: "EvalResult") -> list[str]:
    return [
        format_table([{"figure": name, "value": value} for name, value in _figures(result).items()]),
        _describe_tta(result),
        _describe_classes(result),
        _describe_pairs(result),
        f"pictures and tables: {result.out}",
    ]


def _figures(result: "EvalResult") -> dict[str, str]:
    metrics = result.metrics
    figures = {"loss": f"{metrics.loss:.4f}", "accuracy": _percent(metrics.accuracy)}
    if metrics.top5_accuracy is not None:
        figures["top-5 accuracy"] = _percent(metrics.top5_accuracy)
    for name, value in (("precision", metrics.macro.precision), ("recall", metrics.macro.recall)):
        figures[f"mean {name}"] = _percent(value)
    figures["mean F1"] = _percent(metrics.macro.f1)
    figures["calibration error"] = _percent(metrics.calibration_error)
    if (scaled := result.calibration) is not None:
        figures["  after scaling"] = _percent(scaled.error)
        figures["temperature"] = f"{scaled.temperature:.3f}, fitted on {scaled.fitted_on}"
    return figures


def _describe_tta(result: "EvalResult") -> str:
    effect = result.tta_effect
    if effect is None:
        return ""
    gain = 100 * (result.metrics.accuracy - effect.plain_accuracy)
    return (
        f"views {result.tta}: accuracy {_percent(result.metrics.accuracy)}, plain {_percent(effect.plain_accuracy)} "
        f"({gain:+.2f} points); {effect.passes_per_image:.1f} forward passes an image, "
        f"{effect.seconds:.2f} s, plain {effect.plain_seconds:.2f} s"
    )


def _describe_classes(result: "EvalResult") -> str:
    """Return the scores of each class; of many classes the worst."""
    classes = result.metrics.per_class
    shown = sorted(classes, key=lambda each: each.f1 or 0.0)[:10] if len(classes) > _MOST_CLASSES else classes
    rows: list[dict[str, Any]] = [
        {
            "class": each.name,
            "images": each.images,
            "precision": _percent(each.precision),
            "recall": _percent(each.recall),
            "F1": _percent(each.f1),
        }
        for each in shown
    ]
    heading = f"the {len(shown)} worst of {len(classes)} classes (all in per_class.csv)\n"
    return (heading if len(shown) < len(classes) else "") + format_table(rows)


def _describe_pairs(result: "EvalResult") -> str:
    lines = [
        f"  {first} as {second}: {there}, {second} as {first}: {back}"
        for first, second, there, back in map(astuple, result.confused_pairs[:5])
    ]
    return "\n".join(["most confused", *lines]) if lines else "nothing was confused"


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction:.2%}"
