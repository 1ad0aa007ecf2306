"""Whole reproductions of a tiny network on digits, which need no download."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from windtunnel.dispatch.processes import identify
from windtunnel.errors import RunError, UsageError
from windtunnel.reproduction import run as running
from windtunnel.reproduction.cutting import Sizes
from windtunnel.reproduction.planner import Pace
from windtunnel.reproduction.run import Request, place, plan, reproduce
from windtunnel.sweeps import engines

TINY = (
    "data.source=digits",
    "data.batch_size=256",
    "model.widths=[4,4,4,4]",
    "model.depths=[1,1,1,1]",
    "augment=none",
    "budget=null",
    "runtime.augment_backend=torch",
)

# What a run needs is known here, so that no process has to find out.
PRICED = """
from windtunnel.dispatch.types import Estimate
from windtunnel.sweeps import engines

class Priced:
    def __init__(self, device, threads):
        pass

    def estimate(self, experiment):
        return Estimate(2**29, seconds=5.0)

    def record_outcome(self, job, outcome):
        pass

engines.Estimator = Priced
"""
AS_TYPED = f"{PRICED}\nimport sys\nfrom windtunnel.cli.main import main\nmain(sys.argv[1:])"


@pytest.fixture(scope="module")
def priced():
    """Let dispatchers of this process know, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "Estimator", engines.Estimator)
        exec(PRICED, {})
        yield


def instant(experiments):
    """Return the pace of a machine on which an epoch of digits takes 2 seconds."""
    return [Pace(2 / 1400, 0.0, 1.0, Sizes(1408, 29, 360)) for _ in experiments]


def request(tmp_path, *overrides, minutes=1.0):
    return Request("s4", minutes, (*TINY, *overrides), "cpu", tmp_path / "runs")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, priced):
    """A tiny S4, cut from 40 epochs to what fits a minute, killed on the way with its worker, and gone on with."""
    wanted = request(tmp_path_factory.mktemp("finished"), "train.epochs=40")
    folder = place(wanted)
    folder.write_plan(plan(wanted, measure=instant))
    words = ["reproduce", "S4", *wanted.overrides, "--budget", "1", "--device", "cpu", "-q", "--runs-dir"]
    command = [sys.executable, "-c", AS_TYPED, *words, str(wanted.runs_dir)]
    metrics = folder.run("slim_resnet") / "metrics.csv"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 3, process)
        process.kill()
    for worker in read_workers(folder.path):
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda worker=worker: not identify(worker))
    return wanted, reproduce(wanted, command=["windtunnel", "reproduce", "S4"])


def read_workers(folder):
    lines = (folder / "dispatch" / "journal.jsonl").read_text().splitlines()
    return [event["pid"] for event in map(json.loads, lines) if event.get("event") == "admitted"]


def wait_for(is_so, process=None):
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until
        assert process is None or process.poll() is None, "it ended by itself"
        time.sleep(0.05)


def test_a_killed_one_goes_on_where_it_was(finished):
    wanted, result = finished
    epochs = [each.epoch for each in result.found.runs["slim_resnet"].epochs]
    assert epochs == list(range(1, epochs[-1] + 1))
    assert epochs[-1] == result.found.plan.runs[0].experiment.train.epochs
    assert len(read_workers(place(wanted).path)) == 2


def test_a_reproduction_leaves_tables_a_page_pictures_answers_and_a_record(finished):
    wanted, result = finished
    folder = place(wanted).path
    assert result.exit_code == 0
    epochs = int(result.found.runs["slim_resnet"].summary["epochs"])
    assert 3 < epochs < 40
    head = f"Reduced to 1 minutes: {epochs} of 40 epochs"
    text = (folder / "tables.md").read_text()
    assert text.count(head) >= 5, "every table's head says what was cut"
    assert "windtunnel reproduce S4" in text
    for picture in ("accuracy", "loss", "learning-rate", "confusion"):
        assert (folder / "report" / f"{picture}.png").stat().st_size > 1000
        assert f"(report/{picture}.png)" in text
    assert "<svg" in (folder / "report.html").read_text()
    record = json.loads((folder / "reproduction.json").read_text())
    assert record["reductions"] == [f"{epochs} of 40 epochs"]
    assert record["torch"]
    assert record["worked_seconds"] > 0


def test_figures_are_the_run_s_own(finished):
    wanted, _ = finished
    folder = place(wanted).path
    tested = json.loads((folder / "test.json").read_text())
    rows = list(csv.DictReader((folder / "tables.csv").read_text().splitlines()))
    mine = next(row for row in rows if row["row"] == "test images, five views averaged")
    assert float(mine["ours"]) == pytest.approx(100 * tested["accuracy"])
    answers = list(csv.DictReader((folder / "predictions.csv").read_text().splitlines()))
    assert list(answers[0]) == ["ID", "Labels"]
    assert len(answers) == tested["images"] == sum(map(sum, tested["confusion"]))
    right = sum(row[place] for place, row in enumerate(tested["confusion"]))
    assert right / tested["images"] == pytest.approx(tested["accuracy"])


def test_a_finished_one_is_drawn_anew_without_training(finished, monkeypatch):
    wanted, _ = finished
    before = json.loads((place(wanted).path / "reproduction.json").read_text())
    (place(wanted).path / "tables.md").unlink()

    def refuse(*_):
        raise AssertionError("nothing is left to train or to measure")

    monkeypatch.setattr(running, "_train", refuse)
    monkeypatch.setattr(running, "measure_paces", refuse)
    again = reproduce(wanted)
    assert again.files[0].is_file()
    after = json.loads((place(wanted).path / "reproduction.json").read_text())
    assert after == before, "an earlier command and its figures stay"


def test_a_failed_run_is_told_in_its_row_and_by_the_exit_code(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_train", lambda *_: ())
    result = reproduce(request(tmp_path), measure=instant)
    assert result.exit_code == 3
    rows = list(csv.DictReader((result.found.folder / "tables.csv").read_text().splitlines()))
    assert {row["cause"] for row in rows} == {"not run"}
    assert any("has no result" in row["sentence"] for row in rows)


def test_trials_are_left_to_an_ablation_of_the_planned_variants(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(running, "ablate", lambda base, changes, **more: asked.update(more, base=base, changes=changes))
    monkeypatch.setattr(running, "write_reproduction", lambda report, found, command: [])
    wanted = Request("S1", 1e5, (), "cpu", tmp_path)
    chosen = plan(wanted, measure=instant)
    reproduce(wanted, chosen=chosen)
    assert asked["base"] == chosen.runs[0].experiment.model_dump(mode="json")
    assert [change.name for change in asked["changes"]] == [run.id for run in chosen.runs[1:]]
    assert (asked["rules"].trials, asked["rules"].stop_early, asked["design"]) == (5, False, "one_at_a_time")
    assert asked["runs_dir"] == place(wanted).path


def test_a_plan_writes_nothing(tmp_path):
    wanted = request(tmp_path, "train.epochs=100")
    assert plan(wanted, measure=instant).reductions
    assert not place(wanted).path.exists()


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf"), 1e-3])
def test_a_bad_budget_is_refused_before_anything_is_written(tmp_path, minutes):
    with pytest.raises(UsageError, match="--budget"):
        reproduce(request(tmp_path, minutes=minutes), measure=instant)
    assert not (tmp_path / "runs").exists()


def test_a_setting_that_does_not_fit_names_the_run(tmp_path):
    with pytest.raises(UsageError, match=r"S4, run slim_resnet(.|\n)*optim.lr"):
        plan(request(tmp_path, "optim.lr=-1"), measure=instant)


def test_data_that_are_missing_are_told_by_the_full_protocol_too(tmp_path, monkeypatch):
    def missing(engine, experiments):
        raise RunError("tried out")

    monkeypatch.setattr(running.Engine, "try_out", missing)
    with pytest.raises(RunError, match="tried out"):
        plan(request(tmp_path, minutes=None))
