import pytest
import torch
from sklearn.metrics import log_loss, precision_recall_fscore_support, top_k_accuracy_score
from torch import Tensor

from evaluation.torchmetrics_oracle import load_torchmetrics
from windtunnel.evaluation.metrics import Metrics, compute_metrics

NAMES = tuple("abcdefgh")


def _drawn(occurring: int = 8) -> tuple[Tensor, Tensor]:
    """Logits of 8 classes and labels of the first ``occurring`` ones."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(200, 8, generator=generator), torch.randint(0, occurring, (200,), generator=generator)


def _columns(metrics: Metrics) -> list[list[float | None]]:
    return [[getattr(each, name) for each in metrics.per_class] for name in ("precision", "recall", "f1", "images")]


def test_figures_equal_scikit_learn() -> None:
    logits, labels = _drawn()
    metrics = compute_metrics(logits, labels, NAMES)
    top1, top5 = (top_k_accuracy_score(labels, logits.numpy(), k=k) for k in (1, 5))
    assert metrics.accuracy == pytest.approx(top1)
    assert metrics.top5_accuracy == pytest.approx(top5)
    assert metrics.loss == pytest.approx(log_loss(labels, logits.double().softmax(1).numpy()), rel=1e-5)
    expected = precision_recall_fscore_support(labels, logits.argmax(1))
    assert [pytest.approx(column.tolist()) for column in expected] == _columns(metrics)
    assert [each.name for each in metrics.per_class] == list(NAMES)


@pytest.mark.parametrize("occurring", [3, 8])
def test_macro_averages_equal_scikit_learn_also_when_classes_are_missing(occurring: int) -> None:
    logits, labels = _drawn(occurring)
    logits[:, 6:] = -9  # never predicted
    macro = compute_metrics(logits, labels, NAMES).macro
    expected = precision_recall_fscore_support(labels, logits.argmax(1), average="macro", zero_division=0)
    assert (macro.precision, macro.recall, macro.f1) == pytest.approx(expected[:3])


def test_macro_averages_and_calibration_equal_torchmetrics() -> None:
    logits, labels = _drawn()
    metrics, oracle = compute_metrics(logits, labels, NAMES), load_torchmetrics()
    expected = [
        getattr(oracle, f"multiclass_{name}")(logits, labels, num_classes=8, average="macro").item()
        for name in ("precision", "recall", "f1_score")
    ]
    error = oracle.multiclass_calibration_error(logits, labels, num_classes=8, n_bins=15).item()
    assert [metrics.macro.precision, metrics.macro.recall, metrics.macro.f1] == pytest.approx(expected, rel=1e-5)
    assert metrics.calibration_error == pytest.approx(error, rel=1e-5)


def test_class_without_images_has_no_recall_and_few_classes_no_top5() -> None:
    metrics = compute_metrics(torch.eye(3)[[0, 1]], torch.tensor([0, 1]), ("a", "b", "c"))
    assert [each.recall for each in metrics.per_class] == [1.0, 1.0, None]
    assert (metrics.per_class[2].precision, metrics.per_class[2].f1, metrics.per_class[2].images) == (None, None, 0)
    assert metrics.top5_accuracy is None
    assert metrics.macro.f1 == 1.0


def test_a_diverged_network_has_metrics_too() -> None:
    metrics = compute_metrics(torch.full((4, 3), torch.nan), torch.tensor([0, 1, 2, 0]), ("a", "b", "c"))
    assert metrics.loss != metrics.loss
    assert metrics.calibration_error != metrics.calibration_error
    assert metrics.images == 4
