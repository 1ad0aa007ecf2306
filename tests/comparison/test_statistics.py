import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from windtunnel.comparison import sequential
from windtunnel.comparison.sequential import confidence_sequence, e_value, judge
from windtunnel.comparison.statistics import (
    adjust_holm,
    bootstrap_interval,
    compare_pairs,
    critical_t,
    hedges_correction,
    sign_flip_p,
    summarise,
    trials_needed,
)

numbers = st.lists(st.floats(-10, 10), min_size=3, max_size=9)


def draw(seed, size, mean=0.0, sd=1.0):
    return np.random.default_rng(seed).normal(mean, sd, size)


def test_paired_t_and_equivalence_are_scipy_s():
    a, b = draw(0, 12), draw(1, 12, 0.3)
    found = compare_pairs(a, b, margin=0.5)
    assert found.p == pytest.approx(stats.ttest_rel(b, a).pvalue)
    above = stats.ttest_1samp(b - a, -0.5, alternative="greater").pvalue
    below = stats.ttest_1samp(b - a, 0.5, alternative="less").pvalue
    assert found.p_equivalent == pytest.approx(max(above, below))
    assert found.probability_positive == pytest.approx(1 - stats.ttest_1samp(b - a, 0, alternative="greater").pvalue)


@pytest.mark.parametrize("size", [6, 12])
def test_sign_flips_are_scipy_s_permutation_test(size):
    differences = draw(2, size, 0.4)
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_p(differences) == pytest.approx(theirs)


def test_many_sign_flips_are_drawn():
    differences = draw(3, 40, 0.3)
    drawn = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(1)
    ).pvalue
    assert sign_flip_p(differences) == pytest.approx(drawn, abs=0.015)


def test_interval_of_the_mean_covers_it_about_as_often_as_it_says():
    covered = 0
    for seed in range(60):
        low, high = bootstrap_interval(draw(seed, 25, 5.0))
        covered += low <= 5.0 <= high
    assert 50 <= covered <= 60


def test_values_that_do_not_vary_have_an_interval_of_no_width():
    found = compare_pairs([1.0, 2.0, 3.0], [1.5, 2.5, 3.5], margin=0.1)
    assert (found.low, found.high, found.p, found.probability_positive) == (0.5, 0.5, None, 1.0)
    assert summarise([2.0, 2.0]).low == 2.0


def test_one_measurement_has_no_spread():
    assert summarise([3.0]).sd is None


def test_pairs_must_be_pairs():
    with pytest.raises(ValueError, match="2 and 3"):
        compare_pairs([1.0, 2.0], [1.0, 2.0, 3.0], margin=0.1)


def test_effect_is_scipy_free_hedges_g():
    differences = draw(4, 8, 1.0)
    found = compare_pairs(np.zeros(8), differences, margin=0.1)
    assert found.effect == pytest.approx(differences.mean() / differences.std(ddof=1) * (1 - 3 / (4 * 7 - 1)), rel=5e-3)
    assert hedges_correction(1000) == pytest.approx(1, abs=1e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values):
    adjusted = adjust_holm(values)
    assert all(0 <= raw <= new <= 1 or new == 1 for raw, new in zip(values, adjusted, strict=True))
    order = sorted(range(len(values)), key=lambda index: values[index])
    assert [adjusted[index] for index in order] == sorted(adjusted)


def test_trials_needed_reach_the_power_in_simulation():
    planned = functools.partial(critical_t, alpha=0.05)
    n = trials_needed(1.0, 0.8, critical=planned)
    found = np.mean([stats.ttest_1samp(draw(seed, n, 0.8), 0).pvalue < 0.05 for seed in range(800)])
    assert found == pytest.approx(0.8, abs=0.05)
    assert trials_needed(0.0, 1.0, critical=planned) == 2


def test_trials_needed_when_one_looks_after_every_pair_are_enough_for_that_test():
    looking = functools.partial(sequential.critical_t, alpha=0.05)
    n = trials_needed(1.0, 0.8, critical=looking)
    found = np.mean([any(e_value(draw(seed, n, 0.8)[:k]) >= 20 for k in range(2, n + 1)) for seed in range(300)])
    assert 0.78 <= found <= 0.93
    assert trials_needed(0.0, 1.0, critical=looking) == 5


def test_hundreds_of_pairs_with_a_large_difference_have_an_e_value():
    found = judge(list(draw(8, 400, 20.0)), margin=0.1, alpha=0.05)
    assert (found.decision, found.e_value) == ("differs", math.inf)


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_differences_that_do_not_vary_are_the_limit_of_ever_smaller_spread(n):
    nearly = [1.0 + 1e-7 * (-1) ** index for index in range(n)]
    assert e_value([1.0] * n) == pytest.approx(e_value(nearly), rel=1e-3)
    assert (e_value([1.0] * n) >= 20) == (confidence_sequence([1.0] * n, alpha=0.05)[0] > 0)


def test_a_comparison_of_equals_is_called_different_no_more_often_than_stated():
    wrong = 0
    for seed in range(2000):
        differences = list(draw(seed, 40))
        wrong += any(e_value(differences[:n]) >= 20 for n in range(2, 41))
    assert wrong / 2000 <= 0.05


def test_the_interval_at_all_times_holds_the_truth_as_often_as_stated():
    missed = 0
    for seed in range(400):
        low, high = confidence_sequence(list(draw(seed, 30, 0.7)), alpha=0.05)
        missed += not low <= 0.7 <= high
    assert missed / 400 <= 0.05


def test_a_large_difference_is_settled_and_a_small_one_is_called_equivalent():
    assert judge(list(draw(5, 12, 3.0)), margin=0.1, alpha=0.05).decision == "differs"
    assert judge(list(draw(6, 200, 0.0)), margin=1.0, alpha=0.05).decision == "equivalent"
    assert judge(list(draw(7, 3, 0.5)), margin=0.1, alpha=0.05).decision == "open"


@given(numbers)
def test_the_evidence_is_above_its_limit_exactly_when_the_interval_leaves_zero_out(values):
    if np.std(values) < 1e-6:
        return
    low, high = confidence_sequence(values, alpha=0.05)
    evidence = e_value(values)
    if abs(evidence - 20) > 1e-6:
        assert (evidence > 20) == (low > 0 or high < 0)
