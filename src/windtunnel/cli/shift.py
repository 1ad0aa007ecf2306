"""What ``windtunnel eval --shift`` prints."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.cli.tables import format_table
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.training.shift import ShiftResult
    from windtunnel.training.trained import WeightsChoice


@dataclass(frozen=True)
class ShiftRequest:
    """The options of ``windtunnel eval`` that belong to ``--shift``.

    Args:
        shift: whether ``--shift`` was given.
        split: part of the data the user named.
        target: images without labels.
        max_images: validation images to take.

    Raises:
        UsageError: they contradict each other.
    """

    shift: bool
    split: str
    target: Path | None
    max_images: int | None

    def __post_init__(self) -> None:
        if not self.shift:
            raise UsageError("--target and --shift-images belong to --shift; add it")
        if self.split != "validation":
            raise UsageError(f"--split {self.split}: corruptions are measured on validation images; leave it out")


def show_shift(
    run: str,
    request: ShiftRequest,
    *,
    tta: str | None,
    weights: "WeightsChoice",
    out: Path | None,
    runs_dir: Path | None,
    as_json: bool,
) -> None:
    """Measure the run on corrupted copies of its validation images and print accuracies and estimates."""
    from windtunnel.training.shift import evaluate_shift

    result = evaluate_shift(
        run,
        target=request.target,
        max_images=request.max_images,
        tta=tta,
        weights=weights,
        out=out,
        runs_dir=runs_dir,
    )
    if as_json:
        print(json.dumps({"folder": str(result.folder), **result.to_json()}, indent=2))
        return
    print(f"{result.folder.name}, {result.images:,} validation images, {result.weights} weights, views: {result.tta}")
    print(
        f"as they are: {result.reference.accuracy:.2%}, corrupted: {result.mean_corrupted_accuracy:.2%} in the mean\n"
    )
    print(format_table(_accuracy_rows(result)), end="\n\n")
    print(format_table(_estimator_rows(result)), end="\n\n")
    if result.target is not None:
        estimate = result.target
        print(
            f"expected accuracy on {estimate.path} ({estimate.images:,} images): {estimate.accuracy:.1%} "
            f"+- {100 * estimate.error:.1f} points "
            f"({_words(result.choice.estimator)}; its mean error on held-out corruptions)\n"
            "where its classes are shared out as among the validation images"
        )
    print(f"figures and picture: {result.out}")


def _accuracy_rows(result: "ShiftResult") -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for each in result.measured:
        rows.setdefault(each.corruption, {"corruption": _words(each.corruption)})[f"{each.severity}"] = each.accuracy
    return [
        {key: cell if isinstance(cell, str) else f"{cell:.1%}" for key, cell in row.items()} | {"mean": _mean(row)}
        for row in rows.values()
    ]


def _estimator_rows(result: "ShiftResult") -> list[dict[str, Any]]:
    choice = result.choice
    return [
        {
            "estimator": _words(name) + (" (chosen)" if name == choice.estimator else ""),
            "points off, choosing": f"{100 * choice.choosing_errors[name]:.1f}",
            "points off, held out": f"{100 * error:.1f}",
            **({"expects": f"{result.target.by_estimator[name]:.1%}"} if result.target else {}),
        }
        for name, error in choice.judging_errors.items()
    ]


def _mean(row: dict[str, Any]) -> str:
    values = [cell for cell in row.values() if isinstance(cell, float)]
    return f"{sum(values) / len(values):.1%}"


def _words(name: str) -> str:
    return name.replace("_", " ")
