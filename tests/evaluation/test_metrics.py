import pytest
import torch
from sklearn.metrics import log_loss, recall_score, top_k_accuracy_score

from windtunnel.evaluation.metrics import compute_metrics

NAMES = tuple("abcdefgh")


def test_figures_equal_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(200, 8, generator=generator), torch.randint(0, 8, (200,), generator=generator)
    metrics = compute_metrics(logits, labels, NAMES)
    top1, top5 = (top_k_accuracy_score(labels, logits.numpy(), k=k) for k in (1, 5))
    assert metrics.accuracy == pytest.approx(top1)
    assert metrics.top5_accuracy == pytest.approx(top5)
    assert list(metrics.per_class.values()) == pytest.approx(
        recall_score(labels, logits.argmax(1), average=None).tolist()
    )
    assert metrics.loss == pytest.approx(log_loss(labels, logits.double().softmax(1).numpy()), rel=1e-5)


def test_class_without_images_has_no_accuracy_and_few_classes_no_top5() -> None:
    metrics = compute_metrics(torch.eye(3)[[0, 1]], torch.tensor([0, 1]), ("a", "b", "c"))
    assert metrics.per_class == {"a": 1.0, "b": 1.0, "c": None}
    assert metrics.top5_accuracy is None
