"""What an evaluation of a trained run found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from windtunnel.evaluation.calibration import Bin, Calibration
from windtunnel.evaluation.confusion import ConfusedPair
from windtunnel.evaluation.metrics import Metrics
from windtunnel.training.trained import Weights

Split = Literal["validation", "test"]


@dataclass(frozen=True)
class TtaEffect:
    """What test-time augmentation costs and gains.

    Args:
        passes_per_image: forward passes an image, where the plain prediction takes one.
        seconds: wall clock of predicting all images with it.
        plain_seconds: the same of the plain prediction.
        plain_accuracy: accuracy of the plain prediction, a fraction.
    """

    passes_per_image: float
    seconds: float
    plain_seconds: float
    plain_accuracy: float


@dataclass(frozen=True)
class EvalResult:
    """Metrics of a run on one part of its data.

    Args:
        folder: the run folder.
        split: the part.
        tta: name of the test-time augmentation.
        weights: which of the run's weights were used.
        metrics: the figures.
        tta_effect: cost and gain of the views; None when there is the plain one only.
        bins: predictions by confidence.
        calibration: what a temperature fitted on validation images does; None without any.
        confused_pairs: classes taken for each other, the worst first.
        confusion: images of class ``row`` taken for class ``column``.
        out: folder of the pictures and tables, or None when none were asked for.
    """

    folder: Path
    split: Split
    tta: str
    weights: Weights
    metrics: Metrics
    tta_effect: TtaEffect | None
    bins: tuple[Bin, ...]
    calibration: Calibration | None
    confused_pairs: tuple[ConfusedPair, ...]
    confusion: tuple[tuple[int, ...], ...]
    out: Path | None

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from windtunnel.report.notebook import show_evaluation

        return show_evaluation(self)
