"""The wrong answers a network was surest of."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class Mistakes(NamedTuple):
    """Images taken for another class, the surest first.

    Args:
        rows: their places in the part.
        predicted: the classes they were taken for.
        probabilities: what those classes were given.
    """

    rows: Int64[Tensor, " m"]
    predicted: Int64[Tensor, " m"]
    probabilities: Float[Tensor, " m"]


def find_confident_mistakes(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], *, count: int) -> Mistakes:
    """Return up to ``count`` wrong predictions with the largest probabilities; of equal ones the first."""
    probability, predicted = logits.double().softmax(1).max(1)
    wrong = torch.nonzero(predicted != labels)[:, 0]
    rows = wrong[probability[wrong].argsort(descending=True, stable=True)][:count]
    return Mistakes(rows, predicted[rows], probability[rows])
