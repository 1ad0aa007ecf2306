"""What a set of logits is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Metrics:
    """Quality of predictions on one part of the data.

    Args:
        images: number of images.
        loss: mean cross entropy in nats, no label smoothing.
        accuracy: fraction whose largest logit is the label's.
        top5_accuracy: fraction whose label is among the five largest logits; None below 6 classes.
        per_class: class name -> fraction of its images that are right; None for a class without images.

    """

    images: int
    loss: float
    accuracy: float
    top5_accuracy: float | None
    per_class: dict[str, float | None]


def compute_metrics(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], class_names: Sequence[str]) -> Metrics:
    """Return the metrics of ``logits`` against ``labels``."""
    logits = logits.float()
    right = logits.argmax(1) == labels
    top5 = None
    if logits.shape[1] > 5:
        top5 = (logits.topk(5).indices == labels[:, None]).any(1).double().mean().item()
    return Metrics(
        images=len(labels),
        loss=functional.cross_entropy(logits, labels).item(),
        accuracy=right.double().mean().item(),
        top5_accuracy=top5,
        per_class={name: _mean_or_none(right[labels == index]) for index, name in enumerate(class_names)},
    )


def _mean_or_none(right: Tensor) -> float | None:
    return right.double().mean().item() if len(right) else None
