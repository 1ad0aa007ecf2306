"""Evaluations of a run, read back from their folders or taken from what ``windtunnel.evaluate`` returned."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from windtunnel.errors import CheckpointError
from windtunnel.report.reliability import ReliabilityBin, ReliabilityCurve


@dataclass(frozen=True)
class ClassRow:
    """One class: images, precision, recall and F1, the last three fractions or None where undefined."""

    name: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ViewsEffect:
    """What test-time augmentation costs and gains.

    Args:
        passes_per_image: forward passes an image.
        seconds: of predicting all images with it.
        plain_seconds: of predicting them without.
        plain_accuracy: accuracy without, a fraction.
    """

    passes_per_image: float
    seconds: float
    plain_seconds: float
    plain_accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """One evaluation.

    Args:
        name: of its folder, or of the split.
        folder: where its pictures are; None for one that wrote nothing.
        split: part of the data.
        tta: name of the test-time augmentation.
        weights: which of the run's weights.
        images: images measured.
        accuracy: fraction right.
        top5_accuracy: fraction whose class is among the five likeliest; None below 6 classes.
        loss: mean cross entropy, nats.
        calibration_error: expected calibration error.
        classes: a row a class.
        confusion: images of class ``row`` taken for class ``column``.
        curves: reliability as it is and, where a temperature was fitted, with it.
        temperature: that temperature, or None.
        calibrated_error: calibration error with it, or None.
        views: what test-time augmentation does; None for one view.
        pairs: (class, other, times taken for the other, the other way round), the worst first.
    """

    name: str
    folder: Path | None
    split: str
    tta: str
    weights: str
    images: int
    accuracy: float
    top5_accuracy: float | None
    loss: float
    calibration_error: float
    classes: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    curves: tuple[ReliabilityCurve, ...]
    temperature: float | None
    calibrated_error: float | None
    views: ViewsEffect | None
    pairs: tuple[tuple[str, str, int, int], ...]

    @property
    def title(self) -> str:
        """What was measured and how it came out."""
        return f"{self.images:,} {self.split} images, {self.accuracy:.2%} right"


def list_evaluations(run_folder: Path) -> list[Path]:
    """Return the folders of the evaluations that ``windtunnel eval`` left in a run folder, by name."""
    return [path.parent for path in sorted(run_folder.glob("evaluation-*/metrics.json"))]


def load_evaluation(folder: Path) -> Evaluation:
    """Read the evaluation in ``folder``.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    path = folder / "metrics.json"
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        return _build(tree, folder.name, folder)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{path} holds no evaluation: {error!r}; measure it again: windtunnel eval") from error


def to_evaluation(result: object) -> Evaluation:
    """Return an evaluation of what ``windtunnel.evaluate`` returned.

    Raises:
        TypeError: ``result`` is something else.
    """
    if not is_dataclass(result) or isinstance(result, type) or not hasattr(result, "confusion"):
        raise TypeError(
            f"{type(result).__name__} is no evaluation: give its folder or what windtunnel.evaluate returned"
        )
    tree = asdict(result)
    return _build(tree, f"evaluation-{tree['split']}", tree["out"])


def _build(tree: Mapping[str, Any], name: str, folder: Path | None) -> Evaluation:
    metrics, calibration, effect = tree["metrics"], tree["calibration"], tree["tta_effect"]
    return Evaluation(
        name=name,
        folder=folder,
        split=tree["split"],
        tta=tree["tta"],
        weights=tree["weights"],
        images=metrics["images"],
        accuracy=metrics["accuracy"],
        top5_accuracy=metrics["top5_accuracy"],
        loss=float("nan") if metrics["loss"] is None else metrics["loss"],
        calibration_error=float("nan") if metrics["calibration_error"] is None else metrics["calibration_error"],
        classes=tuple(ClassRow(**each) for each in metrics["per_class"]),
        confusion=tuple(tuple(row) for row in tree["confusion"]),
        curves=tuple(_curves(tree["bins"], metrics["calibration_error"], calibration)),
        temperature=calibration["temperature"] if calibration else None,
        calibrated_error=calibration["error"] if calibration else None,
        views=ViewsEffect(**effect) if effect else None,
        pairs=tuple(
            (each["first"], each["second"], each["first_as_second"], each["second_as_first"])
            for each in tree["confused_pairs"]
        ),
    )


def _curves(
    bins: Sequence[Mapping[str, Any]], error: float | None, calibration: Mapping[str, Any] | None
) -> list[ReliabilityCurve]:
    label = "as it is" if error is None else f"as it is: calibration error {error:.2%}"
    curves = [ReliabilityCurve(label, _filled(bins))]
    if calibration is not None:
        label = f"temperature {calibration['temperature']:.2f}: {calibration['error']:.2%}"
        curves.append(ReliabilityCurve(label, _filled(calibration["bins"])))
    return [curve for curve in curves if curve.bins]


def _filled(bins: Iterable[Mapping[str, Any]]) -> tuple[ReliabilityBin, ...]:
    return tuple(
        ReliabilityBin(each["low"], each["high"], each["images"], each["confidence"], each["accuracy"])
        for each in bins
        if each["confidence"] is not None and each["accuracy"] is not None
    )
