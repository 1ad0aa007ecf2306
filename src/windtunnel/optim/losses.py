"""Losses on logits."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class CrossEntropy:
    """``-sum_k t_k log softmax(z)_k`` with ``t = (1 - s) * label + s / k``; labels may be soft.

    >>> import torch
    >>> CrossEntropy(label_smoothing=0.0, reduction="mean")(torch.zeros(2, 4), torch.tensor([0, 3])).item()
    1.3862943649291992
    """

    label_smoothing: float
    reduction: Literal["mean", "sum"]

    def __call__(self, logits: Float[Tensor, "b k"], labels: Tensor) -> Float[Tensor, ""]:
        """Return the loss of class indices (b) or class probabilities (b k), in float32."""
        return functional.cross_entropy(
            logits.float(), labels, label_smoothing=self.label_smoothing, reduction=self.reduction
        )
