import pytest
import torch
from torch.nn import functional

from windtunnel.optim.losses import CrossEntropy, Focal


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


def test_class_weights_equal_torch() -> None:
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    weights = (1.0, 2.0, 0.5)
    ours = CrossEntropy(class_weights=weights)(logits, labels)
    assert torch.equal(ours, functional.cross_entropy(logits, labels, weight=torch.tensor(weights)))


def test_focal_without_focus_is_cross_entropy() -> None:
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    ours = Focal(gamma=1e-9, reduction="mean")(logits, labels)
    assert ours.item() == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-5)


def test_focal_counts_easy_images_less() -> None:
    logits = torch.tensor([[5.0, 0.0], [0.5, 0.0]])
    easy, hard = (
        Focal(gamma=2.0, reduction="sum")(row[None], torch.tensor([0]))
        / functional.cross_entropy(row[None], torch.tensor([0]))
        for row in logits
    )
    assert easy < hard


def test_focal_has_a_slope_where_an_image_is_certain() -> None:
    logits = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    Focal(gamma=0.5, reduction="mean")(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits.grad).all()
