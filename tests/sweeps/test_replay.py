"""Whatever is killed and whenever: every job is given out, ended and counted exactly once."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.config.sweep import SweepConfig
from windtunnel.dispatch.types import Outcome
from windtunnel.sweeps.definition import build_definition
from windtunnel.sweeps.folder import create_sweep
from windtunnel.sweeps.study import Study

LRS = {"optim.lr": [0.1, 0.2, 0.3, 0.2]}
ANY_LR = {"optim.lr": {"min": 0.01, "max": 1.0, "log": True}}
SWEEPS = {
    "grid": {"space": LRS, "repeats": 2},
    "random": {"space": ANY_LR, "strategy": {"name": "random", "runs": 5}},
    "small random": {"space": LRS, "strategy": {"name": "random", "runs": 9}},
    "tpe": {"space": ANY_LR, "strategy": {"name": "tpe", "runs": 5, "startup": 2, "parallel": 2}, "pruning": "median"},
}


class Desk:
    """Keeps a study's jobs as the dispatcher does: what happened is in a log, which a new study is told again."""

    def __init__(self, fields, place):
        tree = {"name": "tried", "base": "quickstart", **fields}
        self.definition = build_definition(SweepConfig.model_validate(tree))
        self.folder = create_sweep(self.definition, place)
        self.log = []
        self.open = {}
        self.ended = []
        self.restart()

    def restart(self):
        self.study = Study(self.definition, self.folder)
        for event, *told in self.log:
            if event == "taken":
                limit, ids = told
                assert [job.id for job in self.study.take(limit)] == ids
            elif event == "progress":
                self.study.progress(*told)
            else:
                self.study.finish(*told)

    def take(self, limit):
        jobs = self.study.take(limit)
        if jobs:
            self.log.append(("taken", limit, [job.id for job in jobs]))
            assert not {job.id for job in jobs} & {*self.open, *self.ended}
            self.open |= {job.id: job for job in jobs}

    def lose(self, limit):
        """Take jobs and be killed before it is written down; those under way report an epoch, likewise."""
        taken = [job.id for job in self.study.take(limit)]
        for id, job in self.open.items():
            self.study.progress(id, 1, {"val_accuracy": job.experiment.optim.lr})
        self.restart()
        assert not set(taken) & {*self.open, *self.ended}

    def end(self, index):
        if self.open:
            id = sorted(self.open)[index % len(self.open)]
            job = self.open.pop(id)
            value = {"val_accuracy": job.experiment.optim.lr}
            self.study.progress(id, 1, value)
            self.log.append(("progress", id, 1, value))
            outcome = Outcome(id, "finished" if index % 5 else "failed", "", {"metrics": value})
            self.study.finish(outcome)
            self.log.append(("ended", outcome))
            self.ended.append(id)


steps = st.lists(
    st.tuples(st.just("take"), st.integers(1, 4))
    | st.tuples(st.just("end"), st.integers(0, 9))
    | st.tuples(st.just("lose"), st.integers(1, 4))
    | st.tuples(st.just("restart")),
    max_size=12,
)


@pytest.mark.parametrize("kind", SWEEPS)
@settings(max_examples=15)
@given(steps=steps)
def test_every_job_ends_once_whatever_happens(kind, steps):
    if kind == "tpe":
        pytest.importorskip("optuna", reason="the extra [optuna] is not installed")
    with TemporaryDirectory() as place:
        desk = Desk(SWEEPS[kind], Path(place))
        for step, *details in steps:
            getattr(desk, step)(*details)
        while not desk.study.is_exhausted() or desk.open:
            desk.take(2)
            desk.end(1)
        assert len(desk.ended) == len(set(desk.ended)) == {"grid": 6, "small random": 3}.get(kind, 5)
        assert {id for point in desk.folder.read_points() for id in point.jobs} == set(desk.ended)
        if kind == "tpe":
            assert not [trial for trial in desk.study._strategy._study.trials if not trial.state.is_finished()]
