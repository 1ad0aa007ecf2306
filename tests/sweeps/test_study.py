import pytest

from windtunnel.dispatch.types import Outcome
from windtunnel.sweeps.check import check_points


def _lrs(jobs):
    return [job.experiment.optim.lr for job in jobs]


def test_a_grid_becomes_one_job_a_point_and_seed(define, open_study, runner):
    run = runner()
    run.run(open_study(define(space={"optim.lr": [0.1, 0.2], "data.batch_size": [32, 64]}, repeats=2)))
    settings = [(job.experiment.optim.lr, job.experiment.data.batch_size, job.experiment.seed) for job in run.done]
    assert sorted(settings) == [(lr, size, seed) for lr in (0.1, 0.2) for size in (32, 64) for seed in (0, 1)]
    assert len({job.id for job in run.done}) == 8


def test_no_run_reads_the_test_split_even_when_the_base_does(define, open_study):
    definition = define(base={"base": "quickstart", "evaluate": {"test": True}}, fixed={"evaluate": {"test": True}})
    assert [job.experiment.evaluate.test for job in open_study(definition).take(9)] == [False] * 3


def test_every_point_gets_the_same_seeds(define, open_study):
    jobs = open_study(define(seeds=[7, 3])).take(9)
    assert [job.experiment.seed for job in jobs] == [7, 3] * 3


def test_the_same_command_gives_the_same_jobs(define, open_study):
    definition = define(
        strategy={"name": "random", "runs": 6}, space={"optim.lr": {"min": 0.01, "max": 1, "log": True}}
    )
    first, second = open_study(definition).take(9), open_study(definition).take(9)
    assert first == second
    assert len(first) == 6


def test_the_same_experiment_twice_in_a_space_is_run_once(define, open_study, runner):
    run = runner()
    run.run(open_study(define(space={"optim.lr": [0.1, 0.2, 0.1], "optim": ["sgd", {"name": "sgd"}]})))
    assert sorted(_lrs(run.done)) == [0.1, 0.2]


def test_a_restart_goes_on_with_what_has_not_ended(define, open_study, runner):
    definition = define()
    before = open_study(definition)
    ended = runner().end(before, before.take(2)[0])
    after = open_study(definition)
    after.finish(ended)
    assert _lrs(after.take(9)) == [0.2, 0.3]


def test_outcomes_told_after_their_jobs_were_given_out_again_count_once(define, open_study):
    definition = define()
    study = open_study(definition)
    for _ in range(2):
        for job in study.take(9):
            study.finish(Outcome(job.id, "finished", ""))
    assert study.is_exhausted()
    study.finish(Outcome("0000-unknown-s0", "failed", ""))
    assert study.is_exhausted()


SMALL, LARGE = {"name": "mlp", "widths": [8]}, {"name": "mlp", "widths": [800]}


def test_points_over_the_budget_are_recorded_and_not_run(define, open_study):
    study = open_study(define(space={"model": [LARGE, SMALL]}, constraints={"parameters": 30_000}))
    assert [list(job.experiment.model.widths) for job in study.take(9)] == [[8]]
    large, small = study._folder.read_points()
    assert (large.jobs, small.refusal) == ((), "")
    assert large.refusal.startswith("budget.parameters: 60,010 exceeds 30,000")


def test_a_grid_stops_after_as_many_points_as_told(define, open_study, runner):
    study = open_study(define(strategy={"name": "grid", "runs": 2}))
    run = runner()
    run.run(study)
    assert _lrs(run.done) == [0.1, 0.2]


def test_a_drawn_point_that_is_not_valid_is_recorded_and_not_run(define, open_study):
    definition = define(
        fixed={"augment": [{"name": "gaussian_blur", "kernel_size": 3}]},
        space={"augment.0.kernel_size": {"min": 3, "max": 9, "integer": True}},
        strategy={"name": "random", "runs": 4},
    )
    check_points(definition)
    study = open_study(definition)
    assert {job.experiment.augment[0].kernel_size for job in study.take(9)} == {3, 5, 7, 9}
    refused = [point for point in study._folder.read_points() if point.refusal]
    assert refused
    assert all("a kernel needs a middle" in point.refusal for point in refused)


def test_a_network_that_cannot_be_built_is_recorded_and_not_run(define, open_study):
    study = open_study(define(space={"model": ["lenet", SMALL]}, constraints={"parameters": 10**9}))
    assert len(study.take(9)) == 1
    assert "needs at least 12x12" in study._folder.read_points()[0].refusal


def test_the_budget_of_the_experiment_holds_as_well(define, open_study):
    study = open_study(define(fixed={"budget": {"parameters": 10}}))
    assert study.take(9) == []
    assert study.is_exhausted()


def test_a_random_search_replaces_points_over_the_budget(define, open_study):
    space = {"model": [LARGE, SMALL], "optim.lr": {"min": 0.1, "max": 1}}
    definition = define(space=space, strategy={"name": "random", "runs": 5}, constraints={"parameters": 30_000})
    assert len(open_study(definition).take(99)) == 5


def test_a_random_search_of_a_small_space_ends(define, open_study, runner):
    run = runner()
    run.run(open_study(define(strategy={"name": "random", "runs": 50})))
    assert sorted(_lrs(run.done)) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("torn", ['{"number": 2, "cho', ""])
def test_points_are_recorded_once_whatever_a_crash_left(define, open_study, torn):
    definition = define()
    study = open_study(definition)
    study.take(2)
    file = study._folder.path / "points.jsonl"
    file.write_text(file.read_text() + torn)
    open_study(definition).take(9)
    assert [point.number for point in open_study(definition)._folder.read_points()] == [0, 1, 2]
