import pytest

from windtunnel.dispatch.types import Outcome

optuna = pytest.importorskip("optuna", reason="the extra [optuna] is not installed")

SPACE = {"optim.lr": {"min": 1e-4, "max": 1.0, "log": True}}


@pytest.fixture
def definition(define):
    strategy = {"name": "tpe", "runs": 24, "startup": 6, "parallel": 3}
    return define(space=SPACE, strategy=strategy)


def _trials(study):
    return study._strategy._study.trials


def _accuracy(experiment):
    return 1 - abs(experiment.optim.lr - 0.03)


def test_it_finds_the_good_region(definition, open_study, runner):
    run = runner(_accuracy)
    run.run(open_study(definition), at_a_time=3)
    late = [abs(job.experiment.optim.lr - 0.03) for job in run.done[12:]]
    early = [abs(job.experiment.optim.lr - 0.03) for job in run.done[:6]]
    assert sorted(late)[6] < sorted(early)[3]
    assert len(run.done) == 24


def test_no_more_points_wait_than_parallel_says(definition, open_study):
    assert len(open_study(definition).take(99)) == 3


def test_a_killed_sweep_goes_on_with_its_trials(definition, open_study, runner):
    run = runner(_accuracy)
    before = open_study(definition)
    told = [run.end(before, job) for job in before.take(3)[:2]]
    lost = [job.id for job in before.take(2)]
    after = open_study(definition)
    for outcome in told:
        after.finish(outcome)
    jobs = after.take(99)
    assert set(lost) <= {job.id for job in jobs}
    assert not {outcome.job for outcome in told} & {job.id for job in jobs}
    told += [run.end(after, job) for job in jobs]
    run.run(after, at_a_time=3)
    assert len({job.id for job in run.done}) == len(run.done) == 24
    assert {trial.state.name for trial in _trials(after)} == {"COMPLETE"}


def test_restarts_propose_what_an_undisturbed_sweep_does(definition, open_study, define, runner):
    undisturbed = define(name="undisturbed", **definition.config.model_dump(include={"space", "strategy"}))
    expected = [job.experiment.optim.lr for job in _run_one_by_one(open_study, undisturbed, runner, restarts=False)]
    assert [
        job.experiment.optim.lr for job in _run_one_by_one(open_study, definition, runner, restarts=True)
    ] == expected
    assert len(set(expected)) == len(expected)


def _run_one_by_one(open_study, definition, runner, *, restarts):
    """Run 12 jobs, each time, if wanted, by a new process that is told everything again."""
    run, study, told = runner(_accuracy), open_study(definition), []
    for _ in range(12):
        if restarts:
            study = open_study(definition)
            for outcome in told:
                assert [job.id for job in study.take(1)] == [outcome.job]
                study.finish(outcome)
        told.append(run.end(study, study.take(1)[0]))
    return run.done


def test_a_trial_cut_off_before_its_choices_were_stored_is_closed(definition, open_study):
    study = open_study(definition)
    study.take(1)
    study._strategy._study.ask()
    after = open_study(definition)
    assert len(after.take(9)) == 3
    assert [trial.state.name for trial in _trials(after)] == ["RUNNING", "FAIL", "RUNNING", "RUNNING"]


def test_a_torn_last_entry_of_the_journal_is_cut(definition, open_study):
    study = open_study(definition)
    study.take(3)
    journal = study._folder.path / "optuna.journal"
    journal.write_bytes(journal.read_bytes()[:-9])
    assert len(open_study(definition).take(9)) == 3


@pytest.mark.parametrize(
    ("status", "state"), [("finished", "COMPLETE"), ("failed", "FAIL"), ("cancelled", "FAIL"), ("diverged", "PRUNED")]
)
def test_failed_runs_say_nothing_about_their_point_and_diverged_ones_that_it_is_bad(
    definition, open_study, status, state
):
    study = open_study(definition)
    job = study.take(1)[0]
    study.finish(Outcome(job.id, status, "", {"metrics": {"val_accuracy": 0.5}}))
    assert _trials(study)[0].state.name == state


def test_a_point_gets_the_mean_over_its_seeds(define, open_study, runner):
    study = open_study(define(space=SPACE, strategy={"name": "tpe", "runs": 2}, repeats=2))
    runner(lambda experiment: 0.25 + 0.5 * experiment.seed).run(study)
    assert [trial.value for trial in _trials(study)] == [0.5, 0.5]


def test_conditional_settings_and_mappings(define, open_study, runner):
    space = {
        "optim": ["adamw", {"name": "sgd", "nesterov": True}],
        "optim.momentum": {"min": 0.5, "max": 0.9, "when": {"optim": "sgd"}},
        "data.batch_size": {"min": 16, "max": 64, "integer": True, "step": 16},
        "train.epochs": {"min": 1, "max": 9, "integer": True, "log": True},
    }
    run = runner(lambda experiment: experiment.data.batch_size / 100)
    run.run(open_study(define(space=space, strategy={"name": "tpe", "runs": 15, "startup": 5})))
    assert {job.experiment.optim.name for job in run.done} == {"adamw", "sgd"}
    assert {job.experiment.data.batch_size for job in run.done} <= {16, 32, 48, 64}


def test_optuna_reads_the_journal_with_its_own_backend(definition, open_study, runner):
    study = open_study(definition)
    runner(_accuracy).run(study, at_a_time=2)
    backend = optuna.storages.journal.JournalFileBackend(str(study._folder.path / "optuna.journal"))
    theirs = optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend))
    assert [trial.value for trial in theirs.trials] == [trial.value for trial in _trials(study)]
    assert theirs.best_params["optim.lr"] == pytest.approx(0.03, abs=0.02)
