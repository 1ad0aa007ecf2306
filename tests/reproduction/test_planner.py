import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.errors import UsageError
from windtunnel.recipes import load_experiment
from windtunnel.reproduction.cutting import Sizes
from windtunnel.reproduction.planner import (
    Pace,
    Slots,
    estimate_makespan,
    estimate_run,
    list_cuts,
    plan_budget,
    plan_full,
)
from windtunnel.reproduction.types import Limits, Report, ReportRun

SIZES = Sizes(45_000, 5_000, 10_000)
BASE = load_experiment("cifar10/slim_resnet")


def halve(experiment, factor):
    widths = tuple(round(width * factor) for width in experiment.model.widths)
    return experiment.model_copy(update={"model": experiment.model.model_copy(update={"widths": widths})})


def make_report(epochs, limits, trials=0):
    runs = [
        ReportRun(
            f"run-{number}",
            BASE.model_copy(update={"train": BASE.train.model_copy(update={"epochs": float(each)})}),
            optional=number > 0,
        )
        for number, each in enumerate(epochs)
    ]
    return Report("S4", "a report", lambda: runs, lambda found: [], limits, trials)


def at_pace(seconds_per_image):
    """Return a measure of a machine whose pace falls with the square of the network's width."""

    def measure(experiments):
        widths = [experiment.model.widths[0] / BASE.model.widths[0] for experiment in experiments]
        return [Pace(seconds_per_image * width**2, seconds_per_image * width**2 / 3, 2.0, SIZES) for width in widths]

    return measure


REPORTS = st.builds(
    make_report,
    st.lists(st.integers(20, 100), min_size=1, max_size=3),
    st.builds(
        Limits,
        least_epochs=st.integers(1, 12),
        least_images=st.integers(500, 5000),
        widths=st.sampled_from([(), (0.5,), (0.5, 0.25)]),
        narrow=st.just(halve),
        validation_images=st.integers(10, 2000),
    ),
    st.sampled_from([0, 0, 5]),
)


def plan_or_none(report, minutes, pace, parallel):
    try:
        return plan_budget(report, report.build_runs(), minutes, slots=Slots(parallel=parallel), measure=at_pace(pace))
    except UsageError:
        return None


@settings(max_examples=40)
@given(REPORTS, st.floats(0.5, 600), st.floats(1e-6, 1e-1), st.integers(1, 4))
def test_a_plan_never_exceeds_its_budget_by_its_own_estimate(report, minutes, pace, parallel):
    plan = plan_or_none(report, minutes, pace, parallel)
    if plan is not None:
        seconds = [run.seconds for run in plan.runs]
        assert plan.seconds == estimate_makespan(seconds, parallel)
        assert sum(seconds) / parallel <= plan.seconds + 1e-9
        assert plan.seconds <= 60 * minutes


@settings(max_examples=40)
@given(REPORTS, st.floats(0.5, 600), st.floats(1, 20), st.floats(1e-6, 1e-1), st.integers(1, 4))
def test_more_budget_never_means_less_of_anything(report, minutes, times, pace, parallel):
    short, long = (plan_or_none(report, each, pace, parallel) for each in (minutes, times * minutes))
    if short is not None:
        assert long is not None
        assert long.cut.epochs >= short.cut.epochs
        assert (long.cut.images or SIZES.train) >= (short.cut.images or SIZES.train)
        assert long.cut.width >= short.cut.width
        assert len(long.runs) >= len(short.runs)
        by_id = {run.id: run.experiment.train.epochs for run in long.runs}
        assert all(by_id[run.id] >= run.experiment.train.epochs for run in short.runs)


@settings(max_examples=40)
@given(REPORTS, st.floats(1e-6, 1e-1), st.integers(1, 4))
def test_a_budget_that_is_too_small_names_one_that_is_not(report, pace, parallel):
    with pytest.raises(UsageError, match="--budget") as refused:
        plan_budget(report, report.build_runs(), 0.01, slots=Slots(parallel=parallel), measure=at_pace(pace))
    enough = float(str(refused.value).rpartition("give --budget ")[2].split()[0])
    assert plan_or_none(report, enough, pace, parallel) is not None


def test_everything_is_run_where_the_budget_has_room():
    report = make_report([100, 50], Limits())
    runs = report.build_runs()
    plan = plan_budget(report, runs, 1e6, slots=Slots(), measure=at_pace(1e-3))
    full = plan_full(report, runs, Slots())
    assert [run.experiment for run in plan.runs] == [run.experiment for run in full.runs]
    assert plan.cut.is_full
    assert plan.reductions == full.reductions == ()


def test_epochs_are_cut_before_images_and_images_before_widths():
    cuts = list(list_cuts(Limits(10, 5000, (0.5, 0.25), halve), 100, 45_000, has_optional=True))
    levels = [(cut.epochs, cut.images or 45_000, cut.width, cut.with_optional) for cut in cuts]
    assert all(
        all(now <= before for now, before in zip(later, earlier, strict=True))
        for earlier, later in itertools.pairwise(levels)
    )
    assert [cut.epochs for cut in cuts if cut.images is None][-1] == 0.1
    assert {cut.epochs for cut in cuts if cut.images is not None and cut.with_optional} == {0.1}
    assert {cut.images for cut in cuts if cut.width < 1} == {5000}
    assert levels[-1] == (0.01, 5000, 0.25, False)


def test_a_speed_run_s_epochs_are_cut_by_quarters():
    cuts = list(list_cuts(Limits(2.5, 45_000), 9.9, 45_000, has_optional=False))
    epochs = [round(9.9 * cut.epochs, 9) for cut in cuts]
    assert epochs[:3] == [9.9, 9.75, 9.5]
    assert epochs[-1] == 1.0


def test_networks_of_a_width_are_measured_only_when_it_is_come_to():
    asked = []

    def measure(experiments):
        asked.append([experiment.model.widths[0] for experiment in experiments])
        return at_pace(1e-3)(experiments)

    report = make_report([100], Limits(10, 5000, (0.5, 0.25), halve))
    plan_budget(report, report.build_runs(), 3.0, slots=Slots(), measure=measure)
    assert asked == [[32]]
    plan_budget(report, report.build_runs(), 1.0, slots=Slots(), measure=measure)
    assert asked == [[32], [32], [16]]


def test_a_run_s_time_is_start_training_validation_and_test():
    experiment = load_experiment("cifar10/slim_resnet", ["train.validate_every=2"])
    pace = Pace(train_seconds=0.01, evaluate_seconds=0.001, startup_seconds=5.0, sizes=SIZES)
    seconds = estimate_run(ReportRun("one", experiment, test_passes=3), 4.0, Sizes(1000, 100, 500), pace)
    assert seconds == pytest.approx(5 + 4 * 7 * 128 * 0.01 + (2 * 100 + 3 * 500) * 0.001)


def test_trials_are_made_one_after_another():
    alone, trials = (
        plan_budget(report, report.build_runs(), 1e6, slots=Slots(), measure=at_pace(1e-3)).seconds
        for report in (make_report([20], Limits()), make_report([20], Limits(), trials=5))
    )
    assert trials > 5 * alone
