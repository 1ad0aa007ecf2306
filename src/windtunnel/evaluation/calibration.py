"""Whether a network's probabilities can be believed: calibration error, and the temperature that mends it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from windtunnel.errors import UsageError

NUM_BINS = 15
_SMALLEST_TEMPERATURE, _LARGEST_TEMPERATURE = 0.01, 100.0


@dataclass(frozen=True)
class Bin:
    """Predictions whose confidence lies in one of equally wide intervals.

    Args:
        low: lower end of the interval, inclusive.
        high: upper end, exclusive; the last interval holds 1 as well.
        images: number of predictions in it.
        confidence: their mean confidence; None without any.
        accuracy: fraction of them that is right; None without any.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """What a temperature does to the probabilities that were measured.

    Args:
        temperature: the fitted temperature.
        fitted_on: the images it was fitted on, never the ones it is measured on.
        error: expected calibration error after the logits were divided by it.
        loss: cross entropy after that, nats.
        bins: predictions by confidence after that.
    """

    temperature: float
    fitted_on: str
    error: float
    loss: float
    bins: tuple[Bin, ...]


def bin_by_confidence(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> tuple[Bin, ...]:
    """Sort predictions by confidence, the largest probability, into 15 equally wide bins.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    edges = torch.linspace(0, 1, NUM_BINS + 1, dtype=torch.float64)
    index = (torch.bucketize(confidence, edges.to(confidence.device), right=True) - 1).clamp(0, NUM_BINS - 1)
    counts = index.bincount(minlength=NUM_BINS).tolist()
    sums = index.bincount(confidence, minlength=NUM_BINS).tolist()
    right = index.bincount((predicted == labels).double(), minlength=NUM_BINS).tolist()
    lows = edges.tolist()
    return tuple(
        Bin(lows[i], lows[i + 1], count, sums[i] / count if count else None, right[i] / count if count else None)
        for i, count in enumerate(counts)
    )


def compute_calibration_error(bins: tuple[Bin, ...]) -> float:
    """Return the expected calibration error: the mean over images of |accuracy - confidence| of their bin.

    >>> round(compute_calibration_error((Bin(0, 0.5, 1, 0.4, 0.0), Bin(0.5, 1, 3, 0.9, 1.0))), 3)
    0.175
    """
    total = sum(each.images for each in bins)
    gaps = (each.images * abs((each.accuracy or 0.0) - (each.confidence or 0.0)) for each in bins)
    return sum(gaps) / total


def fit_temperature(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> float:
    """Return the temperature T that makes the cross entropy of ``softmax(logits / T)`` smallest.

    The loss is convex in 1/T, so its slope there crosses zero at most once: at ``E[z of the label] = E[mean of z
    under the softmax]``. That root is bracketed and found by Brent's method. Fit on validation images and apply to
    others; T above 1 says the network was too sure of itself.

    Args:
        logits: of images the network was not trained on.
        labels: their class indices.

    Returns:
        T in 0.01 .. 100; an end of that range when the loss still falls there, as it does towards 0 when every
        prediction is right; 1 when the logits of each image are all equal, so that T changes nothing.

    Raises:
        UsageError: no images, or logits that are not finite.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    if len(labels) == 0:
        raise UsageError("a temperature cannot be fitted without images; give at least one")
    if not torch.isfinite(logits).all():
        raise UsageError("a temperature cannot be fitted: some logits are not finite; the network has diverged")
    centred = logits.double() - logits.double().max(1, keepdim=True).values
    if not centred.any():
        return 1.0
    return 1 / _find_root(_slope(centred, labels), 1 / _LARGEST_TEMPERATURE, 1 / _SMALLEST_TEMPERATURE)


def measure_calibration(
    scaled: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], *, temperature: float, fitted_on: str
) -> Calibration:
    """Return how well ``scaled`` logits, already divided by ``temperature``, are calibrated."""
    bins = bin_by_confidence(scaled, labels)
    loss = functional.cross_entropy(scaled.double(), labels).item()
    return Calibration(temperature, fitted_on, error=compute_calibration_error(bins), loss=loss, bins=bins)


def scale_by_halves(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n k"]:
    """Divide every second image's logits by a temperature fitted on the others, and the other way round.

    So the images a temperature is measured on are never the ones it was fitted on.
    """
    scaled = logits.double()
    for half in (0, 1):
        scaled[half::2] /= fit_temperature(logits[1 - half :: 2], labels[1 - half :: 2])
    return scaled


def _slope(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> Callable[[float], float]:
    """Return the derivative of the mean cross entropy by 1/T, which never falls."""
    of_label = logits.gather(1, labels[:, None]).mean()

    def slope(inverse: float) -> float:
        return ((logits * (logits * inverse).softmax(1)).sum(1).mean() - of_label).item()

    return slope


def _find_root(slope: Callable[[float], float], low: float, high: float) -> float:
    if slope(low) >= 0:
        return low
    if slope(high) <= 0:
        return high
    from scipy.optimize import brentq  # 0.15 s that training need not spend

    return float(brentq(slope, low, high, xtol=1e-10, rtol=1e-8))
