"""Blocks of a report that say what an evaluation found."""

from pathlib import Path

from windtunnel.report.confusion import plot_confusion
from windtunnel.report.document import Block, Column, Photo, Picture, Table
from windtunnel.report.evaluation import Evaluation
from windtunnel.report.numbers import (
    format_count,
    format_loss,
    format_percent,
    format_percent_interval,
    format_two_places,
)
from windtunnel.report.reliability import compute_interval, plot_reliability
from windtunnel.report.shift import load_shift, plot_shift

_MOST_PHOTO_BYTES = 1_500_000


def interval_of(accuracy: float | None, images: int | None) -> tuple[float, float] | None:
    """Return Wilson's 95% interval, or None where the number of images is not known."""
    return None if accuracy is None or not images else compute_interval(accuracy, images)


def describe_evaluation(found: Evaluation) -> list[Block]:
    """Return figures, confusion matrix, calibration, gain of the views, classes and mistakes of an evaluation."""
    names = [each.name for each in found.classes]
    confusion = Picture(
        f"{found.name}-confusion",
        plot_confusion(found.confusion, names, title=found.title),
        "Confusion matrix: images of each true class, a row, taken for each class, a column",
        follows_theme=False,
    )
    blocks: list[Block] = [_figures(found)]
    if found.views is not None:
        blocks.append(_views(found))
    blocks.append(confusion)
    if found.curves:
        blocks.append(_reliability(found))
    blocks += [_classes(found), *_pairs(found), *_mistakes(found)]
    return blocks


def describe_shift(folder: Path) -> list[Block]:
    """Return accuracy under corruption, where it was measured."""
    if not (folder / "shift.json").is_file():
        return []
    table = load_shift(folder / "shift.json")
    columns = (
        Column("corruption", align="left"),
        *(Column(f"severity {one}", format_two_places) for one in table.severities),
    )
    rows = tuple((name, *line) for name, line in zip(table.corruptions, table.accuracies, strict=True))
    picture = Picture("shift", plot_shift(table), "Accuracy under corruption, and as estimated", follows_theme=False)
    return [
        picture,
        Table("shift", columns, rows, caption=f"Accuracy in percent; {table.clean:.2f} without corruption"),
    ]


def _figures(found: Evaluation) -> Table:
    columns = (
        Column("split", align="left"),
        Column("weights", align="left"),
        Column("views", align="left"),
        Column("images", format_count),
        Column("accuracy", format_percent),
        Column("95% interval", format_percent_interval),
        Column("top-5", format_percent),
        Column("loss", format_loss),
        Column("calibration error", format_percent),
    )
    row = (
        found.split,
        found.weights,
        found.tta,
        found.images,
        found.accuracy,
        interval_of(found.accuracy, found.images),
        found.top5_accuracy,
        found.loss,
        found.calibration_error,
    )
    return Table(f"{found.name}-figures", columns, (row,))


def _views(found: Evaluation) -> Table:
    assert found.views is not None
    columns = (
        Column("test-time augmentation", align="left"),
        Column("passes an image", format_two_places),
        Column("accuracy", format_percent),
        Column("gain (points)", lambda gain: f"{gain:+.2f}"),
        Column("seconds", format_two_places),
    )
    gain = 100 * (found.accuracy - found.views.plain_accuracy)
    rows = (
        ("none", 1.0, found.views.plain_accuracy, None, found.views.plain_seconds),
        (found.tta, found.views.passes_per_image, found.accuracy, gain, found.views.seconds),
    )
    return Table(f"{found.name}-views", columns, rows, caption="What several views of each image cost and gain")


def _reliability(found: Evaluation) -> Picture:
    caption = "Below the diagonal it is surer than it is right; bars are 95% intervals."
    if found.temperature is not None and found.calibrated_error is not None:
        caption += (
            f" Dividing the logits by {found.temperature:.2f} takes the calibration error from "
            f"{found.calibration_error:.2%} to {found.calibrated_error:.2%}."
        )
    figure = plot_reliability(found.curves, title="")
    return Picture(f"{found.name}-reliability", figure, "Accuracy over confidence", caption)


def _classes(found: Evaluation) -> Table:
    columns = (
        Column("class", align="left"),
        Column("images", format_count),
        Column("precision", format_percent),
        Column("recall", format_percent),
        Column("95% interval of recall", format_percent_interval),
        Column("F1", format_percent),
    )
    rows = tuple(
        (each.name, each.images, each.precision, each.recall, interval_of(each.recall, each.images), each.f1)
        for each in found.classes
    )
    return Table(f"{found.name}-classes", columns, rows, caption="Class by class")


def _pairs(found: Evaluation) -> list[Block]:
    if not found.pairs:
        return []
    columns = (
        Column("class", align="left"),
        Column("other", align="left"),
        Column("taken for the other"),
        Column("the other taken for it"),
    )
    return [Table(f"{found.name}-pairs", columns, found.pairs, caption="Classes taken for each other most often")]


def _mistakes(found: Evaluation) -> list[Block]:
    """Return the gallery of mistakes, unless its file is so large that the page would suffer."""
    path = found.folder / "errors.png" if found.folder else None
    if path is None or not path.is_file() or path.stat().st_size > _MOST_PHOTO_BYTES:
        return []
    return [Photo(path, "The mistakes it was surest of")]
