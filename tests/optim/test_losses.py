import pytest
import torch
from torch.nn import functional

from windtunnel.optim.losses import CrossEntropy


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_soft_labels_equal_hard_ones(smoothing: float) -> None:
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    loss = CrossEntropy(label_smoothing=smoothing, reduction="mean")
    soft = functional.one_hot(labels, 4).float()
    assert loss(logits, labels).item() == pytest.approx(loss(logits, soft).item(), abs=1e-6)


def test_sum_is_the_mean_times_the_batch() -> None:
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    mean, total = (CrossEntropy(label_smoothing=0.1, reduction=how)(logits, labels) for how in ("mean", "sum"))
    assert total.item() == pytest.approx(6 * mean.item(), rel=1e-6)


def test_half_precision_logits_are_reduced_in_float32() -> None:
    loss = CrossEntropy(label_smoothing=0.0, reduction="sum")(torch.randn(4, 3).bfloat16(), torch.tensor([0, 1, 2, 0]))
    assert loss.dtype is torch.float32
