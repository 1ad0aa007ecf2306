import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss
from torch import Tensor
from torch.nn import functional

from evaluation.torchmetrics_oracle import load_torchmetrics
from windtunnel.errors import UsageError
from windtunnel.evaluation.calibration import (
    bin_by_confidence,
    compute_calibration_error,
    fit_temperature,
    measure_calibration,
    scale_by_halves,
)


def _drawn(seed: int, count: int = 400, classes: int = 7, sharpness: float = 3.0) -> tuple[Tensor, Tensor]:
    """Logits and labels that were drawn from their softmax at temperature ``sharpness``: that is the right answer."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * 2 * torch.randn(count, classes, generator=generator)
    labels = torch.multinomial((logits / sharpness).softmax(1), 1, generator=generator)[:, 0]
    return logits, labels


@pytest.mark.parametrize(("seed", "sharpness"), [(0, 0.3), (1, 1.0), (2, 6.0)])
def test_calibration_error_equals_torchmetrics(seed: int, sharpness: float) -> None:
    logits, labels = _drawn(seed, sharpness=sharpness)
    oracle = load_torchmetrics().multiclass_calibration_error(
        logits.double().softmax(1), labels, num_classes=7, n_bins=15, norm="l1"
    )
    assert compute_calibration_error(bin_by_confidence(logits, labels)) == pytest.approx(oracle.item(), abs=1e-6)


def test_bins_hold_every_prediction_once_and_full_confidence_is_in_the_last() -> None:
    logits = torch.tensor([[1e4, 0.0], [0.0, 1e4], [0.0, 0.0], [0.0, 0.1]])
    bins = bin_by_confidence(logits, torch.tensor([0, 0, 0, 1]))
    assert [each.images for each in bins if each.images] == [2, 2]
    last = bins[-1]
    assert (last.high, last.images, last.confidence, last.accuracy) == (1.0, 2, 1.0, 0.5)
    assert bins[0].confidence is None and bins[0].accuracy is None


def test_temperature_equals_a_minimiser_of_scikit_learns_log_loss() -> None:
    logits, labels = _drawn(3)
    best = minimize_scalar(
        lambda log: log_loss(labels, (logits.double() / 2.0**log).softmax(1).numpy()), bounds=(-4, 6), method="bounded"
    )
    assert fit_temperature(logits, labels) == pytest.approx(2.0**best.x, rel=1e-3)


def test_temperature_finds_the_one_that_labels_were_drawn_with() -> None:
    logits, labels = _drawn(4, count=20_000, sharpness=2.5)
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.03)


@given(st.integers(0, 10**6), st.floats(0.2, 8), st.floats(0.5, 3), st.floats(-50, 50))
def test_temperature_scales_with_logits_and_ignores_shifts(
    seed: int, sharpness: float, scale: float, shift: float
) -> None:
    logits, labels = _drawn(seed, count=60, classes=4, sharpness=sharpness)
    logits = logits.double()
    alone = fit_temperature(logits, labels)
    if 0.05 < alone < 20:
        assert fit_temperature(scale * logits + shift, labels) == pytest.approx(scale * alone, rel=1e-5)


@given(st.integers(0, 10**6), st.floats(0.05, 30))
def test_no_other_temperature_has_a_smaller_loss(seed: int, other: float) -> None:
    logits, labels = _drawn(seed, count=30, classes=3)
    logits = logits.double()
    fitted = functional.cross_entropy(logits / fit_temperature(logits, labels), labels)
    assert fitted <= functional.cross_entropy(logits / other, labels) + 1e-9


def test_temperature_ends_at_its_bounds() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    assert fit_temperature(logits, torch.tensor([0, 1])) == pytest.approx(0.01)
    assert fit_temperature(logits, torch.tensor([1, 0])) == pytest.approx(100)
    assert fit_temperature(torch.ones(2, 5), torch.tensor([0, 1])) == 1.0


@pytest.mark.parametrize("logits", [torch.zeros(0, 3), torch.full((2, 3), torch.nan), torch.full((2, 3), -torch.inf)])
def test_temperature_of_nothing_or_of_a_diverged_network_is_refused(logits: Tensor) -> None:
    with pytest.raises(UsageError, match="temperature cannot be fitted"):
        fit_temperature(logits, torch.zeros(len(logits), dtype=torch.int64))


def test_halves_are_scaled_by_each_others_temperature() -> None:
    logits, labels = _drawn(5, count=101)
    scaled = scale_by_halves(logits, labels)
    odd = fit_temperature(logits[1::2], labels[1::2])
    assert torch.allclose(scaled[::2], logits[::2].double() / odd)
    assert torch.equal(scaled.argmax(1), logits.argmax(1))


def test_scaling_mends_a_network_that_is_too_sure_of_itself() -> None:
    logits, labels = _drawn(6, count=2000)
    found = measure_calibration(scale_by_halves(logits, labels), labels, temperature=3.0, fitted_on="the other half")
    assert found.error < 0.05 < 0.2 < compute_calibration_error(bin_by_confidence(logits, labels))
    assert found.loss < functional.cross_entropy(logits, labels).item()
