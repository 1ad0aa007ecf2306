"""Ratios of times, kept as logarithms, in the words of people."""

import math
from collections.abc import Mapping
from typing import Any

_LARGEST_EXPONENT = 700.0


def percent_more(log_ratio: float) -> float:
    """Return how much more time a ratio of times is, in percent; negative is faster.

    >>> round(percent_more(math.log(1.25)), 6), percent_more(math.inf)
    (25.0, inf)
    """
    return 100 * math.expm1(log_ratio) if log_ratio < _LARGEST_EXPONENT else math.inf


def percent_of_estimate(estimate: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return low, mean and high of an estimate of a logarithm of a ratio of times as percent more time."""
    low, mean, high = (percent_more(float(estimate[end])) for end in ("low", "mean", "high"))
    return low, mean, high
