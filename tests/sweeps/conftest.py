import pytest

from windtunnel.config.sweep import SweepConfig
from windtunnel.dispatch.types import Outcome
from windtunnel.sweeps.definition import build_definition
from windtunnel.sweeps.folder import create_sweep
from windtunnel.sweeps.study import Study


@pytest.fixture
def define():
    """Build the definition of a sweep around the quickstart."""

    def build(**fields):
        tree = {"name": "tried", "base": "quickstart", "space": {"optim.lr": [0.1, 0.2, 0.3]}, **fields}
        return build_definition(SweepConfig.model_validate(tree))

    return build


@pytest.fixture
def open_study(tmp_path):
    """Open a definition's study as a new process would."""

    def build(definition):
        return Study(definition, create_sweep(definition, tmp_path))

    return build


class Runner:
    """Ends every job of a study at once, with the accuracy a function gives it; nothing is trained."""

    def __init__(self, accuracy=lambda experiment: experiment.optim.lr, statuses=None):
        self.accuracy = accuracy
        self.statuses = statuses or {}
        self.done = []

    def end(self, study, job):
        status = self.statuses.get(job.id, "finished")
        value = self.accuracy(job.experiment)
        self.done.append(job)
        outcome = Outcome(job.id, status, "", {"metrics": {"val_accuracy": value}} if status == "finished" else {})
        study.finish(outcome)
        return outcome

    def run(self, study, at_a_time=4):
        outcomes = []
        while not study.is_exhausted():
            jobs = study.take(at_a_time)
            assert jobs, "the study waits for results that it has"
            outcomes += [self.end(study, job) for job in jobs]
        return outcomes


@pytest.fixture
def runner():
    return Runner
