"""The pictures and tables of an evaluation, each written whole."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from windtunnel.core.cells import plain_cell
from windtunnel.core.files import write_json, write_text
from windtunnel.data.part import Part
from windtunnel.errors import UsageError
from windtunnel.evaluation.calibration import Bin
from windtunnel.evaluation.mistakes import Mistakes
from windtunnel.report.confusion import save_confusion
from windtunnel.report.gallery import Mistake, save_gallery
from windtunnel.report.reliability import ReliabilityBin, ReliabilityCurve, save_reliability
from windtunnel.training.evaluated import EvalResult


def make_folder(path: Path) -> None:
    """Make ``path`` and its parents.

    Raises:
        UsageError: it cannot be made, or is a file.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be made for the pictures and tables: {error}; choose another folder") from None


def write_evaluation(out: Path, result: EvalResult, mistakes: Mistakes, part: Part) -> None:
    """Write metrics.json, per_class.csv, confusion.csv, confusion.png, reliability.png and errors.png into ``out``."""
    names = [each.name for each in result.metrics.per_class]
    title = f"{result.metrics.images:,} {result.split} images, {result.metrics.accuracy:.2%} right"
    write_json(out / "metrics.json", describe_result(result))
    scores = [(each.name, each.images, each.precision, each.recall, each.f1) for each in result.metrics.per_class]
    write_text(out / "per_class.csv", _format_csv(("class", "images", "precision", "recall", "f1"), scores))
    rows = [(name, *row) for name, row in zip(names, result.confusion, strict=True)]
    write_text(out / "confusion.csv", _format_csv(("true class", *names), rows))
    save_confusion(out / "confusion.png", result.confusion, names, title=title)
    save_reliability(out / "reliability.png", _curves(result), title=title)
    wrong = sum(map(sum, result.confusion)) - sum(row[index] for index, row in enumerate(result.confusion))
    shown = f"The {len(mistakes.rows)} surest of {wrong:,} mistakes on {result.metrics.images:,} {result.split} images"
    save_gallery(out / "errors.png", _show_mistakes(mistakes, part, names), title=shown)


def describe_result(result: EvalResult) -> dict[str, Any]:
    """Return the result as plain numbers, texts, lists and mappings."""
    return {**asdict(result), "folder": str(result.folder), "out": None if result.out is None else str(result.out)}


def _format_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return CSV; fractions with six places, what is undefined as nothing."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([plain_cell(name) for name in header])
    writer.writerows([f"{cell:.6f}" if isinstance(cell, float) else plain_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _curves(result: EvalResult) -> list[ReliabilityCurve]:
    label = f"as it is: calibration error {result.metrics.calibration_error:.2%}"
    curves = [ReliabilityCurve(label, _filled(result.bins))]
    if result.calibration is not None:
        label = f"temperature {result.calibration.temperature:.2f}: {result.calibration.error:.2%}"
        curves.append(ReliabilityCurve(label, _filled(result.calibration.bins)))
    return curves


def _filled(bins: Iterable[Bin]) -> tuple[ReliabilityBin, ...]:
    return tuple(
        ReliabilityBin(each.low, each.high, each.images, each.confidence, each.accuracy)
        for each in bins
        if each.confidence is not None and each.accuracy is not None
    )


def _show_mistakes(mistakes: Mistakes, part: Part, names: Sequence[str]) -> list[Mistake]:
    images = part.gather(mistakes.rows).permute(0, 2, 3, 1).numpy()
    labels = part.labels[mistakes.rows].tolist()
    return [
        Mistake(image, names[label], names[predicted], probability)
        for image, label, predicted, probability in zip(
            images, labels, mistakes.predicted.tolist(), mistakes.probabilities.tolist(), strict=True
        )
    ]
