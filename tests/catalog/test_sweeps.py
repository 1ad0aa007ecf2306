import json
import os
import time

import pytest

from catalog.folders import DEVICE, make_sweep
from windtunnel.catalog.reading import Meter
from windtunnel.catalog.sweeps import SweepReader
from windtunnel.dispatch.journal import hold_folder
from windtunnel.sweeps.results import read_results


@pytest.fixture
def sweep(tmp_path):
    folder, journal, jobs = make_sweep(tmp_path, ended=2, repeats=2)
    return SweepReader(folder.path, "p/rates", Meter()), folder, journal, jobs


def refresh(reader, later=0.0):
    return reader.refresh(time.time() + later)


def test_the_row_counts_runs(sweep):
    reader, *_ = sweep
    assert refresh(reader)
    row = reader.row
    assert (row.ended, row.running, row.waiting, row.total) == ({"finished": 2}, 1, 5, 8)
    assert (row.metric, row.goal, row.best, row.status, row.problem) == ("val_accuracy", "max", 0.2, "idle", "")


def test_results_are_those_of_the_sweeps_own_reader(sweep):
    reader, folder, *_ = sweep
    refresh(reader)
    mine, theirs = reader.results(), read_results(folder)
    assert [point.choices for point in mine.points] == [point.choices for point in theirs.points]
    for a, b in zip(mine.runs, theirs.runs, strict=True):
        assert (a.id, a.seed, a.status, a.seconds) == (b.id, b.seed, b.status, b.seconds)
        assert a.value == (b.value if a.status == "finished" else None)


def test_with_early_stopping_a_run_is_worth_what_its_kept_epoch_is(tmp_path):
    fixed = {"train.early_stopping": {"metric": "val_loss", "patience": 3}}
    folder, *_ = make_sweep(tmp_path, ended=2, fixed=fixed)
    reader = SweepReader(folder.path, "p/rates", Meter())
    refresh(reader)
    assert [run.value for run in reader.results().runs][:2] == [run.value for run in read_results(folder).runs][:2]


@pytest.mark.parametrize("looks", [True, False])
def test_a_run_that_was_tried_again_is_worth_what_it_is_worth_now(sweep, looks):
    """Whether somebody looked in between or not."""
    reader, _, journal, jobs = sweep
    told = {"job": jobs[2].id, "reason": "", "peak_bytes": None}
    journal.append("ended", status="failed", summary={"metrics": {"val_accuracy": 0.1}}, attempts=1, **told)
    refresh(reader)
    assert reader.row.best == 0.2
    journal.append("retried", job=jobs[2].id, fresh=True)
    if looks:
        refresh(reader)
    journal.append("ended", status="finished", summary={"metrics": {"val_accuracy": 0.9}}, attempts=2, **told)
    refresh(reader)
    assert [run.value for run in reader.results().runs if run.id == jobs[2].id] == [0.9]
    assert reader.row.best == 0.9


def test_a_journal_is_read_on_and_never_again(sweep):
    reader, _, journal, jobs = sweep
    refresh(reader)
    before = reader._meter.bytes_read
    assert not refresh(reader)
    assert reader._meter.bytes_read == before
    journal.append("ended", job=jobs[2].id, status="pruned", reason="", summary={}, attempts=1, peak_bytes=None)
    assert refresh(reader)
    assert reader.row.ended == {"finished": 2, "pruned": 1}
    assert reader._meter.bytes_read - before < 300


def test_what_its_dispatcher_does_is_its_status(sweep):
    reader, folder, journal, _ = sweep
    refresh(reader)
    with hold_folder(folder.dispatch):
        assert refresh(reader, later=10)
        assert reader.row.status == "running"
        journal.append("control", command="pause", job="", value=0, offset=1)
        assert refresh(reader, later=20)
        assert reader.row.status == "paused"
    assert refresh(reader, later=30)
    assert reader.row.status == "idle"


def test_half_a_line_waits_for_its_rest(sweep):
    reader, folder, _, jobs = sweep
    refresh(reader)
    values = {"job": jobs[2].id, "status": "failed", "reason": "", "summary": {}, "attempts": 1, "peak_bytes": None}
    line = json.dumps({"event": "ended", "time": 1.0, **values}) + "\n"
    with (folder.dispatch / "journal.jsonl").open("a") as file:
        file.write(line[:40])
        file.flush()
        assert not refresh(reader)
        file.write(line[40:])
    assert refresh(reader)
    assert reader.row.ended["failed"] == 1


@pytest.mark.parametrize("line", ["what?", '{"event": "unheard of", "time": 1}', '{"event": "ended", "time": 1}'])
def test_a_damaged_journal_is_told_and_read_up_to_there(sweep, line):
    reader, folder, *_ = sweep
    with (folder.dispatch / "journal.jsonl").open("a") as file:
        file.write(line + "\n")
    refresh(reader)
    assert "journal.jsonl" in reader.row.problem
    assert reader.row.ended == {"finished": 2}


@pytest.mark.parametrize(
    "point", ["[]", '{"number": "x", "choices": 1, "jobs": 2}', '{"number": 1, "choices": 1, "jobs": [3]}']
)
def test_damaged_points_break_nothing(sweep, point):
    reader, folder, *_ = sweep
    with (folder.path / "points.jsonl").open("a") as file:
        file.write(point + "\n")
    refresh(reader)
    assert reader.row.id == "p/rates"


def test_a_definition_that_cannot_be_read_is_told(sweep):
    reader, folder, *_ = sweep
    (folder.path / "sweep.yaml").write_text("space: 3\n")
    refresh(reader)
    assert "base" in reader.row.problem
    assert (reader.row.total, reader.results()) == (None, None)


def test_a_journal_that_was_begun_anew_is_read_anew(sweep):
    reader, folder, *_ = sweep
    refresh(reader)
    path = folder.dispatch / "journal.jsonl"
    first = path.read_text().splitlines()[0]
    os.unlink(path)
    path.write_text(f"{first}\n" + json.dumps({"event": "opened", "time": 5.0, "pid": 1, "devices": [DEVICE]}) + "\n")
    assert refresh(reader)
    assert (reader.row.ended, reader.row.running, reader.row.waiting) == ({}, 0, 0)
