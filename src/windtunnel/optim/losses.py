"""Losses on logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Reduction = Literal["mean", "sum"]
_SMALLEST_DOUBT = 1e-12


class CrossEntropy:
    """``-sum_k w_k t_k log softmax(z)_k`` with ``t = (1 - s) * label + s / k``; labels may be soft.

    With class weights and hard labels the mean is over the weights, as in torch.

    >>> import torch
    >>> CrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3])).item()
    1.3862943649291992
    """

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        reduction: Reduction = "mean",
        class_weights: Sequence[float] | None = None,
    ) -> None:
        self._label_smoothing, self.reduction = label_smoothing, reduction
        self._weights = None if class_weights is None else torch.tensor(class_weights)

    def __call__(self, logits: Float[Tensor, "b k"], labels: Tensor) -> Float[Tensor, ""]:
        """Return the loss of class indices (b) or class probabilities (b k), in float32."""
        if self._weights is not None and self._weights.device != logits.device:
            self._weights = self._weights.to(logits.device)
        return functional.cross_entropy(
            logits.float(),
            labels,
            weight=self._weights,
            label_smoothing=self._label_smoothing,
            reduction=self.reduction,
        )


@dataclass(frozen=True)
class Focal:
    """``-sum_k t_k (1 - p_k)**gamma log p_k`` with ``p = softmax(z)``; labels may be soft.

    >>> import torch
    >>> round(Focal(gamma=2.0, reduction="mean")(torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)
    0.7798
    """

    gamma: float
    reduction: Reduction

    def __call__(self, logits: Float[Tensor, "b k"], labels: Tensor) -> Float[Tensor, ""]:
        """Return the loss of class indices (b) or class probabilities (b k), in float32."""
        log_p = logits.float().log_softmax(1)
        targets = labels if labels.ndim == 2 else functional.one_hot(labels, logits.shape[1])
        doubt = (-torch.expm1(log_p)).clamp_min(_SMALLEST_DOUBT)  # at 0 a power below 1 has no slope
        losses = -(targets * doubt**self.gamma * log_p).sum(1)
        return losses.mean() if self.reduction == "mean" else losses.sum()
