import pytest

from windtunnel.dispatch.types import Outcome

pytest.importorskip("optuna", reason="the extra [optuna] is not installed")


@pytest.fixture
def halving(define):
    return define(space={"optim.lr": [0.1 * step for step in range(1, 10)]}, pruning={"name": "successive_halving"})


def _report(study, job, value, epochs=9):
    """Report ``value`` epoch by epoch, as a run does, and return the epochs it got."""
    for epoch in range(1, epochs + 1):
        if not study.progress(job.id, epoch, {"val_accuracy": value, "train_loss": 1.0}):
            return epoch
    return epochs


def test_halving_lets_the_best_third_past_each_rung(halving, open_study):
    study = open_study(halving)
    jobs = study.take(9)
    trained = {value: _report(study, job, value) for job, value in zip(jobs, [9, 8, 7, 6, 5, 4, 3, 2, 1], strict=True)}
    assert trained[9] == 9
    assert [trained[value] for value in (3, 2, 1)] == [1, 1, 1]


def test_the_median_of_the_runs_that_ended_is_the_bar(define, open_study):
    study = open_study(define(space={"optim.lr": [0.1, 0.2, 0.3, 0.4]}, pruning={"name": "median", "startup": 3}))
    *good, bad = study.take(4)
    for job, value in zip(good, (0.7, 0.8, 0.9), strict=True):
        assert _report(study, job, value) == 9
        study.finish(Outcome(job.id, "finished", ""))
    assert _report(study, bad, 0.75) == 1


def test_a_run_that_has_trained_to_its_end_is_not_stopped(define, open_study):
    study = open_study(define(pruning={"name": "median", "startup": 1}, fixed={"train.epochs": 2}))
    first, second, _ = study.take(3)
    _report(study, first, 0.9, epochs=2)
    study.finish(Outcome(first.id, "finished", ""))
    assert study.progress(second.id, 2, {"val_accuracy": 0.1})


def test_smaller_is_better_for_a_loss(define, open_study):
    pruning = {"name": "median", "startup": 1}
    study = open_study(define(space={"optim.lr": [0.1, 0.2]}, pruning=pruning, metric="val_loss"))
    first, second = study.take(2)
    assert study.progress(first.id, 1, {"val_loss": 1.0})
    study.finish(Outcome(first.id, "finished", ""))
    assert not study.progress(second.id, 1, {"val_loss": 2.0})


def test_a_restart_knows_what_was_reported(halving, open_study):
    before = open_study(halving)
    jobs = before.take(9)
    for job in jobs[:3]:
        _report(before, job, 0.9, epochs=1)
    after = open_study(halving)
    again = after.take(9)
    assert all(after.progress(job.id, 1, {"val_accuracy": 0.9}) for job in again[:3])  # told again: no news
    assert not after.progress(again[3].id, 1, {"val_accuracy": 0.1})


def test_epochs_without_the_metric_and_sweeps_without_pruning_go_on(halving, define, open_study):
    study = open_study(halving)
    assert study.progress(study.take(1)[0].id, 1, {"train_loss": 9.9})
    plain = open_study(define(name="plain"))
    assert plain.progress(plain.take(1)[0].id, 1, {"val_accuracy": 0.0})


@pytest.mark.parametrize(("status", "state"), [("finished", "COMPLETE"), ("pruned", "PRUNED"), ("failed", "FAIL")])
def test_no_trial_stays_open_when_its_run_has_ended(halving, open_study, status, state):
    study = open_study(halving)
    job = study.take(1)[0]
    study.progress(job.id, 1, {"val_accuracy": 0.5})
    for _ in range(2):
        study.finish(Outcome(job.id, status, ""))
    assert [trial.state.name for trial in study._pruning._study.trials] == [state]
