"""What a set of logits is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from windtunnel.evaluation.calibration import bin_by_confidence, compute_calibration_error
from windtunnel.evaluation.confusion import ClassScores, MacroScores, average_scores, count_confusions, score_classes


@dataclass(frozen=True)
class Metrics:
    """Quality of predictions on one part of the data.

    Args:
        images: number of images.
        loss: mean cross entropy in nats, no label smoothing.
        accuracy: fraction whose largest logit is the label's.
        top5_accuracy: fraction whose label is among the five largest logits; None below 6 classes.
        calibration_error: expected calibration error, 15 equally wide bins.
        macro: precision, recall and F1, each the mean over the classes.
        per_class: the same and the number of images, class by class.
    """

    images: int
    loss: float
    accuracy: float
    top5_accuracy: float | None
    calibration_error: float
    macro: MacroScores
    per_class: tuple[ClassScores, ...]


def compute_metrics(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], class_names: Sequence[str]) -> Metrics:
    """Return the metrics of ``logits`` against ``labels``."""
    logits = logits.float()
    confusion = count_confusions(logits.argmax(1), labels, logits.shape[1])
    scores = score_classes(confusion, class_names)
    return Metrics(
        images=len(labels),
        loss=functional.cross_entropy(logits, labels).item(),
        accuracy=confusion.diagonal().sum().item() / len(labels),
        top5_accuracy=compute_top_accuracy(logits, labels, 5) if logits.shape[1] > 5 else None,
        calibration_error=compute_calibration_error(bin_by_confidence(logits, labels)),
        macro=average_scores(scores),
        per_class=scores,
    )


def compute_top_accuracy(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], count: int) -> float:
    """Return the fraction whose label is among the ``count`` largest logits.

    >>> import torch
    >>> compute_top_accuracy(torch.tensor([[3.0, 2, 1], [3, 2, 1]]), torch.tensor([1, 2]), 2)
    0.5
    """
    return (logits.topk(count).indices == labels[:, None]).any(1).double().mean().item()
