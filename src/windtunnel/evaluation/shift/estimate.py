"""Guessing the accuracy on images without labels from what the network says of them.

Every estimator compares the answers there, after temperature scaling, with those on validation images whose labels
are known. Which one to believe, and by how much it is usually off, is found on corrupted validation images: one half
of the corruptions fits and chooses, the other half judges.

Confidence alone misses a network that is sure and wrong, as many are under noise: they answer a few classes over and
over. So one estimator also looks at how far the shares of the answers are from those of the validation labels, which
supposes that the new images have the same classes in the same shares.

Sources: Guo et al. 2017 (average confidence after temperature scaling); Guillory et al. 2021, "Predicting with
Confidence on Unseen Distributions" (difference of confidences, and its regression on known shifts); Garg et al. 2022,
"Leveraging Unlabeled Data to Predict Out-of-Distribution Performance" (average thresholded confidence, by negative
entropy); Deng et al. 2023, "Confidence and Dispersity Speak" (the idea of looking at the shares of classes as well).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.evaluation.calibration import fit_temperature
from windtunnel.evaluation.shift.corruptions import Half

Estimator = Literal[
    "average_confidence",
    "difference_of_confidences",
    "thresholded_confidence",
    "scaled_difference",
    "confidence_and_balance",
]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Signals:
    """What can be seen of images without labels.

    Args:
        confidence: mean confidence, the largest probability, at the reference's temperature.
        above: fraction of images whose negative entropy is above the reference's threshold.
        imbalance: total variation between the shares of the answers and of the validation labels, beyond what so few
            images would show by chance.
    """

    confidence: float
    above: float
    imbalance: float


@dataclass(frozen=True)
class Reference:
    """What is known of the validation images.

    Args:
        accuracy: fraction that is right.
        temperature: divides every logit from here on.
        threshold: the share of the images whose negative entropy is above it is the accuracy.
        class_shares: share of each class among the labels.
        signals: what the same images show without their labels.
    """

    accuracy: float
    temperature: float
    threshold: float
    class_shares: tuple[float, ...]
    signals: Signals


@dataclass(frozen=True)
class Measured:
    """Corrupted images whose labels are known.

    Args:
        corruption: name of the corruption.
        severity: 1 to 5.
        half: whether they choose an estimator or judge it.
        accuracy: fraction that is right.
        signals: what could be seen without labels.
    """

    corruption: str
    severity: int
    half: Half
    accuracy: float
    signals: Signals


@dataclass(frozen=True)
class Slopes:
    """Accuracy lost for each unit lost of what is seen, by least squares on the choosing half.

    Args:
        confidence: of ``scaled_difference``.
        both: of ``confidence_and_balance``: for confidence lost and for imbalance gained.
    """

    confidence: float
    both: tuple[float, float]


@dataclass(frozen=True)
class Choice:
    """The estimator to believe.

    Args:
        estimator: the one with the smallest mean absolute error on the choosing half.
        slopes: fitted on the choosing half.
        choosing_errors: mean absolute error of each estimator on the choosing half, fractions.
        judging_errors: the same on the other half, which had no say.
    """

    estimator: Estimator
    slopes: Slopes
    choosing_errors: Mapping[Estimator, float]
    judging_errors: Mapping[Estimator, float]

    @property
    def error(self) -> float:
        """Mean absolute error to expect of the chosen estimator."""
        return self.judging_errors[self.estimator]


def fit_reference(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> Reference:
    """Return what the estimators need to know of images with labels."""
    temperature = fit_temperature(logits, labels)
    accuracy = (logits.argmax(1) == labels).double().mean().item()
    threshold = _negative_entropies(_scale(logits, temperature)).quantile(1 - accuracy).item()
    shares = labels.bincount(minlength=logits.shape[1]).double() / len(labels)
    signals = _read(logits, temperature, threshold, shares.tolist())
    return Reference(accuracy, temperature, threshold, tuple(shares.tolist()), signals)


def read_signals(logits: Float[Tensor, "n k"], reference: Reference) -> Signals:
    """Return what ``logits`` of images without labels show."""
    return _read(logits, reference.temperature, reference.threshold, reference.class_shares)


def estimate_accuracy(estimator: Estimator, reference: Reference, signals: Signals, slopes: Slopes) -> float:
    """Return the accuracy ``estimator`` expects, a fraction.

    >>> known = Reference(0.9, 1.5, -0.6, (0.5, 0.5), Signals(confidence=0.88, above=0.9, imbalance=0.0))
    >>> seen = Signals(confidence=0.68, above=0.65, imbalance=0.1)
    >>> slopes = Slopes(confidence=1.5, both=(1.0, 2.0))
    >>> [round(estimate_accuracy(name, known, seen, slopes), 2) for name in ESTIMATORS]
    [0.68, 0.7, 0.65, 0.6, 0.5]
    """
    lost, gained = _differences(reference, signals)
    found: dict[Estimator, float] = {
        "average_confidence": signals.confidence,
        "difference_of_confidences": reference.accuracy - lost,
        "thresholded_confidence": signals.above,
        "scaled_difference": reference.accuracy - slopes.confidence * lost,
        "confidence_and_balance": reference.accuracy - slopes.both[0] * lost - slopes.both[1] * gained,
    }
    return min(max(found[estimator], 0.0), 1.0)


def choose_estimator(reference: Reference, measured: Sequence[Measured]) -> Choice:
    """Fit and choose by the corruptions of the choosing half, judge on the others; both halves must be there."""
    halves: dict[Half, list[Measured]] = {
        "choosing": [each for each in measured if each.half == "choosing"],
        "judging": [each for each in measured if each.half == "judging"],
    }
    slopes = _fit_slopes(reference, halves["choosing"])
    choosing, judging = (
        {name: mean_absolute_error(name, reference, part, slopes) for name in ESTIMATORS} for part in halves.values()
    )
    return Choice(min(ESTIMATORS, key=lambda name: choosing[name]), slopes, choosing, judging)


def mean_absolute_error(
    estimator: Estimator, reference: Reference, measured: Sequence[Measured], slopes: Slopes
) -> float:
    """Return how far the estimates are from the measured accuracies in the mean, a fraction."""
    errors = [abs(estimate_accuracy(estimator, reference, each.signals, slopes) - each.accuracy) for each in measured]
    return sum(errors) / len(errors)


def _fit_slopes(reference: Reference, measured: Sequence[Measured]) -> Slopes:
    """Fit through the reference; of equally good slopes numpy's least squares gives the smallest."""
    seen = np.array([_differences(reference, each.signals) for each in measured])
    lost = np.array([reference.accuracy - each.accuracy for each in measured])
    alone, both = (np.linalg.lstsq(columns, lost)[0].tolist() for columns in (seen[:, :1], seen))
    return Slopes(alone[0], (both[0], both[1]))


def _differences(reference: Reference, signals: Signals) -> tuple[float, float]:
    lost = reference.signals.confidence - signals.confidence
    return lost, signals.imbalance - reference.signals.imbalance


def _read(logits: Tensor, temperature: float, threshold: float, class_shares: Sequence[float]) -> Signals:
    probabilities = _scale(logits, temperature)
    return Signals(
        confidence=probabilities.amax(1).mean().item(),
        above=(_negative_entropies(probabilities) > threshold).double().mean().item(),
        imbalance=_imbalance(logits, class_shares),
    )


def _imbalance(logits: Tensor, class_shares: Sequence[float]) -> float:
    count = len(logits)
    answered = (logits.argmax(1).bincount(minlength=len(class_shares)) / count).tolist()
    distance = sum(abs(a - b) for a, b in zip(answered, class_shares, strict=True)) / 2
    # mean absolute deviation of a share of `count` draws, by the normal approximation
    by_chance = sum(math.sqrt(2 * share * (1 - share) / (math.pi * count)) for share in class_shares) / 2
    return max(distance - by_chance, 0.0)


def _scale(logits: Tensor, temperature: float) -> Tensor:
    return (logits.double() / temperature).softmax(1)


def _negative_entropies(probabilities: Tensor) -> Tensor:
    return (probabilities * probabilities.clamp_min(_SMALLEST).log()).sum(1)
