import fcntl
import os
import time

import pytest

from catalog.folders import MadeRun, make_run
from windtunnel.catalog.configs import ConfigReader
from windtunnel.catalog.reading import Meter
from windtunnel.catalog.runs import RunReader
from windtunnel.config.run import EarlyStopping
from windtunnel.core.locks import is_locked
from windtunnel.recipes.load import load_recipe


@pytest.fixture
def read(tmp_path):
    """Return a run's row after reading it anew."""

    def build(run):
        reader = RunReader(run.path, "p/run", "", Meter(), ConfigReader())
        reader.refresh(time.time())
        return reader

    return build


def test_a_run_that_ended_is_read_from_its_summary(read, tmp_path):
    row = read(make_run(tmp_path / "run")).row
    assert (row.status, row.epoch, row.epochs, row.step, row.total_steps) == ("finished", 4, 4.0, 80, 80)
    assert (row.seconds, row.best_val_accuracy, row.metrics["val_accuracy"]) == (6.5, 0.4, 0.4)
    assert (row.project, row.seed, row.parameters, row.device) == ("quickstart", 0, 1200, "cpu")
    assert row.started == pytest.approx(time.time(), abs=20)


def test_a_run_at_work_is_read_from_its_metrics(read, tmp_path):
    row = read(MadeRun(tmp_path / "run").train(1, 2, 3)).row
    assert (row.status, row.epoch, row.step, row.total_steps, row.seconds) == ("running", 3, 60, 80, 4.5)
    assert (row.best_val_accuracy, row.metrics["train_loss"]) == (0.3, pytest.approx(2 / 3))


def test_a_run_before_its_first_epoch_is_running(read, tmp_path):
    row = read(MadeRun(tmp_path / "run")).row
    assert (row.status, row.epoch, row.best_val_accuracy, row.metrics) == ("running", 0, None, {})


def test_each_epoch_changes_the_row_and_nothing_else_does(tmp_path):
    run = MadeRun(tmp_path / "run").train(1)
    reader = RunReader(run.path, "p/run", "", Meter(), ConfigReader())
    assert reader.refresh(time.time())
    assert not reader.refresh(time.time())
    run.train(2)
    assert reader.refresh(time.time())
    assert reader.row.epoch == 2
    run.end(last=2)
    assert reader.refresh(time.time())
    assert (reader.row.status, reader.is_settled) == ("finished", True)


def test_a_silent_run_is_running_while_somebody_holds_it_and_stopped_after_that(tmp_path):
    run = MadeRun(tmp_path / "run").train(1).hold().age()
    reader = RunReader(run.path, "p/run", "", Meter(), ConfigReader())
    now = time.time()
    reader.refresh(now)
    assert reader.row.status == "running"
    run.held.close()
    assert not reader.refresh(now + 1)
    assert reader.refresh(now + 20)
    assert reader.row.status == "stopped"
    run.train(2)
    os.utime(run.path / "metrics.csv", (now + 26, now + 26))
    assert reader.refresh(now + 27)
    assert (reader.row.status, reader.row.epoch) == ("running", 2)


def test_the_lock_of_a_stopped_run_is_asked_once(read, tmp_path, monkeypatch):
    reader = read(MadeRun(tmp_path / "run").train(1).age())
    asked = []
    monkeypatch.setattr(fcntl, "flock", lambda *_: asked.append(1))
    for later in range(1, 100, 7):
        reader.refresh(time.time() + later)
    assert reader.row.status == "stopped"
    assert asked == []


def test_asking_for_the_lock_leaves_no_lock(tmp_path):
    run = MadeRun(tmp_path / "run")
    assert not is_locked(run.path / ".lock")
    with run.folder.hold():
        assert is_locked(run.path / ".lock")
    with run.folder.hold():
        pass


def test_an_interrupted_run_that_goes_on_is_running_again(tmp_path):
    run = MadeRun(tmp_path / "run").train(1, 2).end("interrupted", last=2)
    reader = RunReader(run.path, "p/run", "", Meter(), ConfigReader())
    reader.refresh(time.time())
    assert (reader.row.status, reader.is_settled) == ("interrupted", False)
    (run.path / "summary.json").unlink()
    run.train(3)
    assert reader.refresh(time.time())
    assert (reader.row.status, reader.row.epoch) == ("running", 3)


def test_a_best_loss_is_not_shown_as_an_accuracy(read, tmp_path):
    experiment = load_recipe("quickstart")
    stopping = EarlyStopping(metric="val_loss", patience=3)
    experiment = experiment.model_copy(
        update={"train": experiment.train.model_copy(update={"early_stopping": stopping})}
    )
    assert read(make_run(tmp_path / "run", experiment=experiment)).row.best_val_accuracy is None


@pytest.mark.parametrize("name", ["summary.json", "events.jsonl", "config.yaml", "metrics.csv"])
@pytest.mark.parametrize("content", ["", "{", "[1]", '{"status": 3, "metrics": [], "seconds": "x"}\n'])
def test_damaged_files_give_a_row_all_the_same(read, tmp_path, name, content):
    run = MadeRun(tmp_path / "run").train(1)
    (run.path / name).write_text(content)
    assert read(run).row.id == "p/run"


def test_a_run_that_is_gone_changes_nothing_more(read, tmp_path):
    run = MadeRun(tmp_path / "run").train(1)
    reader = read(run)
    run.path.rename(tmp_path / "elsewhere")
    assert not reader.refresh(time.time())
