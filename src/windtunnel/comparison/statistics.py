"""Statistics of trials: intervals, paired tests, equivalence, corrections, power."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_EXACT_BELOW = 17
_RESAMPLES = 9999


@dataclass(frozen=True)
class Summary:
    """A list of measurements in figures.

    Args:
        n: how many.
        mean: their mean.
        sd: their standard deviation (n - 1); None for one.
        low: lower end of the mean's confidence interval; None for one.
        high: upper end.
        smallest: the smallest.
        largest: the largest.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    smallest: float
    largest: float


@dataclass(frozen=True)
class Paired:
    """What pairs of measurements say about B minus A.

    Args:
        n: pairs.
        difference: mean of B - A.
        low: lower end of its confidence interval (BCa bootstrap).
        high: upper end.
        sd: standard deviation of the differences.
        p: two-sided paired t-test; None when the differences do not vary.
        p_signs: two-sided permutation test over the signs of the differences: exact up to 16 pairs.
        effect: Hedges' g of the differences (their mean over their sd, corrected for small n); None below 3 pairs.
        probability_positive: probability that the true mean difference is above 0, under a flat prior.
        p_equivalent: two one-sided t-tests that the difference lies within the margin.
        margin: that margin.
    """

    n: int
    difference: float
    low: float
    high: float
    sd: float
    p: float | None
    p_signs: float
    effect: float | None
    probability_positive: float
    p_equivalent: float | None
    margin: float


def summarise(values: Sequence[float], *, confidence: float = 0.95) -> Summary:
    """Return mean, spread and a BCa bootstrap interval of the mean (Efron 1987)."""
    data = np.asarray(values, dtype=float)
    alone = len(data) < 2
    low, high = (None, None) if alone else bootstrap_interval(data, confidence=confidence)
    sd = None if alone else float(data.std(ddof=1))
    return Summary(len(data), float(data.mean()), sd, low, high, float(data.min()), float(data.max()))


def bootstrap_interval(values: Sequence[float] | np.ndarray, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the BCa bootstrap interval of the mean; the mean itself twice when the values do not vary."""
    data = np.asarray(values, dtype=float)
    if np.ptp(data) <= 1e-12 * max(1.0, abs(float(data.mean()))):
        return float(data.mean()), float(data.mean())
    found = stats.bootstrap(
        (data,), np.mean, confidence_level=confidence, n_resamples=_RESAMPLES, rng=np.random.default_rng(0)
    ).confidence_interval
    return float(found.low), float(found.high)


def compare_pairs(a: Sequence[float], b: Sequence[float], *, margin: float, confidence: float = 0.95) -> Paired:
    """Return what paired trials say about the difference B - A.

    Args:
        a: measurements of A.
        b: measurements of B, of the same seeds in the same order; at least 2.
        margin: a difference up to this counts as none.
        confidence: of the interval.

    Raises:
        ValueError: fewer than two pairs, or lists of unequal length.
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"needs two lists of equal length, at least 2, not {len(a)} and {len(b)}")
    differences = np.asarray(b, dtype=float) - np.asarray(a, dtype=float)
    n, mean, sd = len(differences), float(differences.mean()), float(differences.std(ddof=1))
    low, high = bootstrap_interval(differences, confidence=confidence)
    error = sd / math.sqrt(n)
    varies = bool(error > 1e-12 * max(1.0, abs(mean)))
    return Paired(
        n=n,
        difference=mean,
        low=low,
        high=high,
        sd=sd,
        p=float(stats.ttest_1samp(differences, 0.0).pvalue) if varies else None,
        p_signs=sign_flip_p(differences),
        effect=mean / sd * hedges_correction(n) if varies and n > 2 else None,
        probability_positive=float(stats.t.cdf(mean / error, n - 1)) if varies else float(mean > 0) + 0.5 * (mean == 0),
        p_equivalent=_two_one_sided(mean, error, n, margin) if varies else None,
        margin=margin,
    )


def sign_flip_p(differences: Sequence[float] | np.ndarray) -> float:
    """Return the two-sided p-value of the mean under random signs: all of them up to 16 pairs, else 9,999 draws."""
    data = np.asarray(differences, dtype=float)
    observed = abs(data.mean())
    if len(data) < _EXACT_BELOW:
        bits = np.arange(2 ** len(data))[:, None] >> np.arange(len(data)) & 1
        means = np.abs((2 * bits - 1) @ data) / len(data)
        return float((means >= observed - 1e-12).mean())
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (_RESAMPLES, len(data)))
    means = np.abs(signs @ data) / len(data)
    return float(((means >= observed - 1e-12).sum() + 1) / (_RESAMPLES + 1))


def adjust_holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for testing all of them together (Holm 1979).

    >>> adjust_holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, running = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=lambda index: values[index])):
        running = max(running, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = running
    return adjusted


def hedges_correction(n: int) -> float:
    """Return what takes the upward bias out of a standardised mean of ``n`` differences (Hedges 1981)."""
    degrees = n - 1
    return (
        math.exp(math.lgamma(degrees / 2) - math.lgamma((degrees - 1) / 2)) / math.sqrt(degrees / 2) if n > 2 else 0.0
    )


def critical_t(n: int, *, alpha: float) -> float:
    """Return the t statistic above which the two-sided t-test of ``n`` differences finds one."""
    return float(stats.t.isf(alpha / 2, n - 1))


def trials_needed(sd: float, difference: float, *, critical: Callable[[int], float], power: float = 0.8) -> int:
    """Return the pairs with which a two-sided paired test shows a true ``difference`` with the given power.

    A test that looks after every pair has at least that power, since it may also have found it before.

    Args:
        sd: standard deviation of the differences.
        difference: the true difference, above 0.
        critical: the t statistic that this many pairs must exceed, of the test that will judge them.
        power: probability of finding the difference.
    """
    n = 2
    while _power(n, abs(difference) / sd if sd > 0 else math.inf, critical(n)) < power and n < 1_000_000:
        n = n + 1 if n < 200 else math.ceil(1.05 * n)
    return n


def _power(n: int, effect: float, critical: float) -> float:
    if math.isinf(effect) or math.isinf(critical):
        return float(math.isfinite(critical))
    shift = effect * math.sqrt(n)
    return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift))


def _two_one_sided(mean: float, error: float, n: int, margin: float) -> float:
    """Return the larger p-value of the tests against -margin and against margin (Schuirmann 1987)."""
    above = stats.t.sf((mean + margin) / error, n - 1)
    below = stats.t.cdf((mean - margin) / error, n - 1)
    return float(max(above, below))
