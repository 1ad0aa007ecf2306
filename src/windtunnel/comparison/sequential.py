"""Looking after every pair of trials without fooling oneself: a t-test that may be stopped at any time.

The e-value is the likelihood ratio of the t statistic with a normal prior on the standardised effect over no effect.
Under no effect, whatever the spread, it is a test martingale with respect to the scale-invariant data, so that it ever
exceeds ``1 / alpha`` with probability at most ``alpha`` (Ville). Sources: Gönen et al. 2005 for the ratio; Lai 1976,
Pérez-Ortiz et al. 2022 and Wang and Ramdas 2025 for its validity under optional stopping.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PRIOR_VARIANCE = 1.0
"""Of the effect in standard deviations; a wider prior finds large effects sooner and small ones later."""

_LARGEST_EXPONENT = 700.0

Decision = Literal["differs", "equivalent", "open"]


@dataclass(frozen=True)
class Sequential:
    """Where a question stands after the pairs so far.

    Args:
        decision: ``differs`` (interval without 0), ``equivalent`` (interval within the margin) or ``open``.
        e_value: evidence against no difference; above ``1 / alpha`` it is settled.
        low: lower end of an interval that holds the true difference at all times with probability ``1 - alpha``.
        high: upper end; infinite while there is too little to say.
    """

    decision: Decision
    e_value: float
    low: float
    high: float


def judge(differences: Sequence[float], *, margin: float, alpha: float) -> Sequential:
    """Return where the question stands; may be asked after every pair.

    Args:
        differences: B - A of each pair so far.
        margin: a difference up to this counts as none.
        alpha: probability, over all looks together, of ever leaving the true difference out.
    """
    low, high = confidence_sequence(differences, alpha=alpha)
    evidence = e_value(differences)
    if low > 0 or high < 0:
        return Sequential("differs", evidence, low, high)
    return Sequential("equivalent" if -margin <= low and high <= margin else "open", evidence, low, high)


def e_value(differences: Sequence[float]) -> float:
    """Return the evidence against a mean of 0: 1 says nothing, 20 is a p-value of 0.05 that survives any stopping.

    Differences that do not vary are the limit of ever smaller spread: two of them are evidence of 1.7, not without end.
    """
    n = len(differences)
    if n < 2:
        return 1.0
    mean, error = _mean_and_error(differences)
    shrink = 1 / (1 + n * PRIOR_VARIANCE)
    if error == 0:
        growth = -math.log(shrink) if mean else 0.0
    else:
        x = (mean / error) ** 2 / (n - 1)
        growth = math.log1p(x) - math.log1p(shrink * x)
    exponent = 0.5 * math.log(shrink) + 0.5 * n * growth
    return math.exp(exponent) if exponent < _LARGEST_EXPONENT else math.inf


def confidence_sequence(differences: Sequence[float], *, alpha: float) -> tuple[float, float]:
    """Return the differences that have an e-value of at most ``1 / alpha`` against them; infinite below two pairs.

    The intervals of all looks together hold the truth with probability ``1 - alpha``.
    """
    n = len(differences)
    if n < 2:
        return -math.inf, math.inf
    critical = critical_t(n, alpha=alpha)
    if math.isinf(critical):
        return -math.inf, math.inf
    mean, error = _mean_and_error(differences)
    return mean - critical * error, mean + critical * error


def critical_t(n: int, *, alpha: float) -> float:
    """Return the t statistic of ``n`` differences whose e-value is ``1 / alpha``; infinite where none has that much.

    >>> critical_t(4, alpha=0.05), round(critical_t(10, alpha=0.05), 2)
    (inf, 3.87)
    """
    shrink = 1 / (1 + n * PRIOR_VARIANCE)
    ratio = math.exp(2 / n * (-math.log(alpha) - 0.5 * math.log(shrink)))
    return math.sqrt((n - 1) * (ratio - 1) / (1 - shrink * ratio)) if shrink * ratio < 1 else math.inf


def _mean_and_error(differences: Sequence[float]) -> tuple[float, float]:
    n = len(differences)
    mean = math.fsum(differences) / n
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (n - 1) / n)
