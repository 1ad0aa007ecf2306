import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.evaluation.shift.estimate import (
    ESTIMATORS,
    Measured,
    Reference,
    Signals,
    Slopes,
    choose_estimator,
    estimate_accuracy,
    fit_reference,
    read_signals,
)

CLEAN = Signals(confidence=0.88, above=0.9, imbalance=0.0)
REFERENCE = Reference(accuracy=0.9, temperature=1.0, threshold=-0.5, class_shares=(0.5, 0.5), signals=CLEAN)
SLOPES = Slopes(confidence=1.7, both=(1.2, 0.8))


def _calibrated(images, spread, seed):
    """Logits whose softmax is the truth: labels are drawn from it."""
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(images, 10, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits, labels


def _measure(logits, labels, reference, half="judging"):
    accuracy = (logits.argmax(1) == labels).double().mean().item()
    return Measured("noise", 1, half, accuracy, read_signals(logits, reference))


def test_average_confidence_is_the_accuracy_of_a_calibrated_network_that_is_too_sure():
    logits, labels = _calibrated(20_000, 3.0, seed=0)
    reference = fit_reference(2.5 * logits, labels)
    assert reference.temperature == pytest.approx(2.5, rel=0.05)
    harder, harder_labels = _calibrated(20_000, 1.5, seed=1)
    measured = _measure(2.5 * harder, harder_labels, reference)
    assert measured.accuracy < reference.accuracy - 0.1
    found = estimate_accuracy("average_confidence", reference, measured.signals, SLOPES)
    assert found == pytest.approx(measured.accuracy, abs=0.01)


@pytest.mark.parametrize("estimator", [name for name in ESTIMATORS if name != "average_confidence"])
def test_without_a_shift_the_estimate_is_the_validation_accuracy(estimator):
    logits, labels = _calibrated(2000, 2.0, seed=3)
    reference = fit_reference(logits, labels)
    signals = read_signals(logits, reference)
    assert estimate_accuracy(estimator, reference, signals, SLOPES) == pytest.approx(reference.accuracy, abs=1e-3)


def test_confidence_does_not_depend_on_the_scale_of_the_logits():
    logits, labels = _calibrated(2000, 2.0, seed=4)
    plain, scaled = (fit_reference(factor * logits, labels) for factor in (1.0, 7.0))
    assert plain.signals.confidence == pytest.approx(scaled.signals.confidence, abs=1e-6)
    assert read_signals(logits, plain).above == pytest.approx(read_signals(7 * logits, scaled).above, abs=1e-3)


def test_answers_of_one_class_only_are_imbalanced_and_shares_by_chance_are_not():
    labels = torch.arange(1000) % 10
    reference = fit_reference(torch.eye(10)[labels] + 0.1 * torch.randn(1000, 10, generator=_generator(0)), labels)
    assert reference.signals.imbalance == 0
    one_class = torch.eye(10)[torch.zeros(50, dtype=torch.int64)]
    assert read_signals(one_class, reference).imbalance == pytest.approx(0.9, abs=0.2)
    random = [torch.eye(10)[torch.randint(0, 10, (50,), generator=_generator(seed))] for seed in range(50)]
    assert sum(read_signals(logits, reference).imbalance for logits in random) / 50 < 0.04


def _generator(seed):
    return torch.Generator().manual_seed(seed)


_FRACTION = st.floats(0, 1)


@given(
    estimator=st.sampled_from(ESTIMATORS),
    signals=st.builds(Signals, confidence=_FRACTION, above=_FRACTION, imbalance=_FRACTION),
    slope=st.floats(-5, 5),
)
def test_estimates_are_fractions(estimator, signals, slope):
    assert 0 <= estimate_accuracy(estimator, REFERENCE, signals, Slopes(slope, (slope, -slope))) <= 1


def _invent(half, confidence, accuracy, above=0.1, imbalance=0.0):
    return Measured("noise", 1, half, accuracy, Signals(confidence, above, imbalance))


def test_slopes_of_the_choosing_half_carry_over_to_the_other():
    seen = [(0.05, 0.0), (0.1, 0.3), (0.2, 0.1)]
    measured = [
        _invent(half, 0.88 - lost, 0.9 - 1.3 * lost - 0.7 * gained, imbalance=gained)
        for half in ("choosing", "judging")
        for lost, gained in seen
    ]
    choice = choose_estimator(REFERENCE, measured)
    assert choice.estimator == "confidence_and_balance"
    assert choice.slopes.both == pytest.approx((1.3, 0.7))
    assert choice.error == pytest.approx(0, abs=1e-12)


def test_without_any_imbalance_the_slope_is_that_of_confidence_alone():
    measured = [_invent(half, 0.88 - x, 0.9 - 1.8 * x) for half in ("choosing", "judging") for x in (0.05, 0.1, 0.2)]
    slopes = choose_estimator(REFERENCE, measured).slopes
    assert (slopes.confidence, slopes.both) == (pytest.approx(1.8), pytest.approx((1.8, 0.0)))


def test_the_judging_half_has_no_say_and_gives_the_error():
    choosing = [_invent("choosing", 0.88 - x, 0.5, above=0.5) for x in (0.1, -0.1)]  # no slope fits both
    judging = [_invent("judging", 0.7, 0.7, above=0.3), _invent("judging", 0.6, 0.6, above=0.4)]
    choice = choose_estimator(REFERENCE, [*choosing, *judging])
    assert choice.estimator == "thresholded_confidence"
    assert choice.choosing_errors["thresholded_confidence"] == 0
    assert choice.error == pytest.approx(0.3)
    assert choice.judging_errors["average_confidence"] == pytest.approx(0)
