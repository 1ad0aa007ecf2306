"""Real sweeps: worker processes that train tiny networks."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import windtunnel
from windtunnel.dispatch.journal import is_held, read_journal
from windtunnel.dispatch.types import Estimate
from windtunnel.errors import UsageError
from windtunnel.sweeps import engines
from windtunnel.sweeps import run as sweeps
from windtunnel.sweeps.folder import create_sweep, open_sweep
from windtunnel.sweeps.winner import measure_winner, read_tests

TINY = {
    "base": "quickstart",
    "data": {"train_limit": 128, "batch_size": 16},
    "model": {"name": "cnn", "widths": [8, 8], "hidden": 8},
    "train": {"epochs": 2},
    "runtime": {"device": "cpu", "threads": 1, "tune_allocator": False},
}

CONFIG = windtunnel.SweepConfig(name="tiny", project="tests", base=TINY, space={"optim.lr": [0.01, 0.1]})


class Priced:
    """An estimator that knows everything already."""

    def __init__(self, device, threads):
        self.recorded = []

    def estimate(self, experiment):
        return Estimate(bytes=2**29, seconds=1.0, source="measured")

    def estimate_all(self, experiments):
        return [self.estimate(experiment) for experiment in experiments]

    def record_outcome(self, job, outcome):
        self.recorded.append(job.id)


@pytest.fixture
def priced(monkeypatch):
    monkeypatch.setattr(engines, "Estimator", Priced)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A sweep that ran to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "Estimator", Priced)
        return windtunnel.sweep(CONFIG, runs_dir=tmp_path_factory.mktemp("ended"))


def test_every_run_ends_and_none_has_read_the_test_split(ended):
    assert [outcome.status for outcome in ended.outcomes] == ["finished", "finished"]
    assert ended.exit_code == 0
    assert ended.best().mean == max(point.mean for point in ended.points())
    assert all("test_accuracy" not in outcome.summary["metrics"] for outcome in ended.outcomes)


def test_the_test_split_is_read_for_the_run_that_is_named_and_that_is_noted(ended):
    best, other = (point.runs[0].id for point in ended.points())
    winner = measure_winner(ended.folder, best)
    assert set(winner.metrics) >= {"test_accuracy", "test_loss"}
    assert winner.tested_before == ()
    assert measure_winner(ended.folder, other[:6]).tested_before == (best,)
    assert [line["run"] for line in read_tests(ended.folder)] == [best, other]


def test_a_run_that_is_not_there_or_not_clear_is_refused(ended):
    with pytest.raises(UsageError, match="give the whole id"):
        measure_winner(ended.folder, "0")
    with pytest.raises(UsageError, match="did you mean"):
        measure_winner(ended.folder, ended.outcomes[0].job + "9")


def test_the_same_command_once_more_runs_nothing(ended, priced):
    events = len(read_journal(ended.folder.dispatch / "journal.jsonl"))
    again = windtunnel.sweep(CONFIG, runs_dir=ended.folder.path.parents[1])
    assert again.outcomes == ended.outcomes
    assert len(read_journal(ended.folder.dispatch / "journal.jsonl")) == events + 1  # opened


PROGRAM = """
import sys
from pathlib import Path
import windtunnel
from windtunnel.dispatch.types import Estimate
from windtunnel.sweeps.engines import Estimator
Estimator.estimate = lambda self, experiment: Estimate(2**29, seconds=1.0, source="measured")
Estimator.estimate_all = lambda self, experiments: []
windtunnel.sweep(sys.argv[1], runs_dir=Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_with_the_same_results(ended, priced, tmp_path):
    program = [sys.executable, "-c", PROGRAM, str(ended.folder.path / "sweep.yaml"), str(tmp_path)]
    process = subprocess.Popen(program, env={**os.environ, "OMP_NUM_THREADS": "1"})
    folder = tmp_path / "tests" / "tiny"
    deadline = time.monotonic() + 120
    while not any(event["event"] == "admitted" for event in _events(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = windtunnel.sweep(CONFIG, runs_dir=tmp_path)
    assert [outcome.job for outcome in resumed.outcomes] == [outcome.job for outcome in ended.outcomes]
    assert [_metrics(outcome) for outcome in resumed.outcomes] == [_metrics(outcome) for outcome in ended.outcomes]


def _metrics(outcome):
    return outcome.summary["metrics"]


def _events(folder):
    path = folder / "dispatch" / "journal.jsonl"
    return read_journal(path) if path.exists() else []


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ({"parallel": 0}, "parallel: 0 is not above 0"),
        ({"memory": -1}, "memory: -1 is not above 0"),
        ({"threads": 0}, "threads: 0 is not above 0"),
        ({"device": "cpus"}, "did you mean 'cpu'"),
        ({"device": "cpu", "memory": 2**60}, "is more than"),
    ],
)
def test_what_the_machine_has_not_is_refused_before_anything_is_written(tmp_path, machine, said):
    with pytest.raises(UsageError, match=said):
        windtunnel.sweep(CONFIG, runs_dir=tmp_path, engine=engines.Engine(machine=engines.Machine(**machine)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ({"machine": engines.Machine(max_runs=0)}, "max_runs: 0 is not above 0"),
        ({"mps": True}, "mps: there is no GPU here"),
        ({"name": "join", "retry_failed": True}, "retry_failed: runs are not started here with engine join"),
        ({"name": "fused", "mps": True}, "mps: runs are not started here with engine fused"),
        ({"name": "join"}, "device: has no effect with engine join, where every `windtunnel worker --join`"),
        ({"name": "fused", "machine": engines.Machine(memory=1)}, "memory: has no effect with engine fused"),
        ({"name": "ray", "machine": engines.Machine(max_runs=1)}, "max_runs: has no effect with engine ray"),
        ({"name": "ray", "machine": engines.Machine(), "share_data": "on"}, "share_data: has no effect"),
        ({"address": "here:1"}, "address: has no effect with engine local"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_before_anything_is_written(tmp_path, engine, said):
    engine = engines.Engine(**{"machine": engines.Machine(device="cpu")} | engine)
    with pytest.raises(UsageError, match=said):
        windtunnel.sweep(CONFIG, runs_dir=tmp_path, engine=engine)
    assert list(tmp_path.iterdir()) == []


def test_data_without_a_validation_part_are_found_before_anything_is_trained(tmp_path, monkeypatch):
    """Whether a user's own files have one only they can tell."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images, labels = np.zeros((8, 8, 8, 1), np.uint8), np.arange(8) % 2
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    np.savez(tmp_path / "own.npz", **parts)
    source = {"name": "npz", "path": str(tmp_path / "own.npz")}
    data = {"source": source, "batch_size": 4, "split": {"name": "official", "validation": 0}}
    config = CONFIG.model_copy(update={"base": {**TINY, "data": data}})
    with pytest.raises(UsageError, match=r"val_accuracy is never reported: npz has no validation part here"):
        windtunnel.sweep(config, runs_dir=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_images_that_runs_share_change_nothing_but_what_is_said_of_them(ended, priced, tmp_path):
    shared = windtunnel.sweep(CONFIG, runs_dir=tmp_path, engine=engines.Engine(share_data="on"))
    assert [_metrics(outcome) for outcome in shared.outcomes] == [_metrics(outcome) for outcome in ended.outcomes]
    for result, expected in ((ended, False), (shared, True)):
        placements = [json.loads((result.folder.run(out.job) / "env.json").read_text()) for out in result.outcomes]
        assert all(("shared by process" in env["placement"]) is expected for env in placements)


def test_two_sweeps_in_one_folder_are_refused(priced, tmp_path):
    from windtunnel.dispatch.journal import hold_folder

    folder = create_sweep(sweeps.build_definition(CONFIG), tmp_path)
    folder.dispatch.mkdir()
    with hold_folder(folder.dispatch):
        assert is_held(folder.dispatch)
        with pytest.raises(UsageError, match="another dispatcher"):
            windtunnel.sweep(CONFIG, runs_dir=tmp_path)
    assert open_sweep(folder.path).read_points() == []
