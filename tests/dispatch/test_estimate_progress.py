"""Remaining time against runs whose end is known."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from windtunnel.dispatch.estimate.progress import Mark, remaining_seconds, step_seconds, step_times, trimmed_mean

times = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=50)


@given(times, st.floats(0.0, 0.45))
def test_trimmed_mean_lies_within_its_values(values, trim):
    assert min(values) - 1e-9 <= trimmed_mean(values, trim) <= max(values) + 1e-9


@given(st.lists(st.floats(1.0, 2.0), min_size=20, max_size=40))
def test_a_few_stalls_hardly_move_the_trimmed_mean(values):
    assert 1.0 <= trimmed_mean([*values, 1000.0, 2000.0]) <= 2.0


def steady(step_s, steps, *, warm_up_s=0.0, runners=0, every=1):
    return [Mark(warm_up_s * (step > 0) + step_s * step, step, runners) for step in range(0, steps + 1, every)]


@given(st.floats(0.01, 5.0), st.integers(8, 60), st.integers(0, 500), st.floats(0.0, 100.0))
def test_a_steady_run_is_predicted_exactly_whatever_its_start_cost(step_s, done, left, warm_up_s):
    found = remaining_seconds(steady(step_s, done, warm_up_s=warm_up_s), done + left)
    assert found.seconds == pytest.approx(step_s * left, rel=1e-6, abs=1e-6)
    assert found.low <= found.seconds <= found.high


@given(st.integers(1, 4), st.floats(0.1, 1.0))
def test_reading_the_clock_less_often_does_not_bias(every, step_s):
    found = step_seconds(steady(step_s, 40, every=every), runners=0)
    assert found.seconds == pytest.approx(step_s)


@given(st.integers(2, 20), st.floats(0.5, 5.0))
def test_reading_the_clock_more_often_than_steps_are_done_does_not_bias(beats, step_s):
    marks = [Mark(beat * step_s / beats, beat // beats) for beat in range(20 * beats)]
    assert step_seconds(marks, runners=0).seconds == pytest.approx(step_s)


def test_a_step_during_which_a_run_came_or_went_counts_for_neither():
    marks = [*steady(1.0, 6), Mark(6.5, 6, 1), Mark(9.0, 7, 1), Mark(11.0, 8, 1)]
    assert step_times(marks) == {0: [1.0] * 3, 1: [2.0]}


@given(st.floats(0.1, 1.0), st.floats(1.5, 4.0))
def test_only_steps_beside_the_same_runs_count(alone_s, slowdown):
    alone = steady(alone_s, 20)
    beside = [Mark(alone[-1].seconds + alone_s * slowdown * step, 20 + step, 1) for step in range(1, 21)]
    marks = [*alone, *beside]
    assert remaining_seconds(marks, 140).seconds == pytest.approx(100 * alone_s * slowdown)
    assert remaining_seconds(marks, 140, runners=0).seconds == pytest.approx(100 * alone_s)


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=40))
def test_the_range_narrows_with_more_steps(values):
    assume(max(values) > min(values))
    clock, marks = 0.0, [Mark(0.0, 0)]
    for step, value in enumerate([1.0] * 3 + values * 4, start=1):
        clock += value
        marks.append(Mark(clock, step))
    few, many = step_seconds(marks[: 4 + len(values)], 0), step_seconds(marks, 0)
    assert many.high - many.low <= (few.high - few.low) * 1.01


def test_nothing_is_said_before_a_step_was_timed():
    assert remaining_seconds([], 10) is None
    assert remaining_seconds([Mark(0.0, 0), Mark(30.0, 3)], 10) is None
    assert step_times([Mark(0.0, 5), Mark(1.0, 5)]) == {}


def test_overhead_is_added_and_a_finished_run_has_nothing_left():
    marks = steady(1.0, 10)
    assert remaining_seconds(marks, 20, overhead=0.5).seconds == pytest.approx(15.0)
    assert remaining_seconds(marks, 10).seconds == 0.0
