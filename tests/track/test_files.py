import csv
import json
from dataclasses import replace

import pytest

from windtunnel.core.reports import EpochReport, RunInfo
from windtunnel.report.load import load_epochs
from windtunnel.track.files import COLUMNS, FileTracker

INFO = RunInfo("tiny", "runs/a", "cpu", "float32", 1200, 60000, 0, 100, 5.0)
FIRST = EpochReport(1, 10, 2.25, 0.125, None, None, 0.1, 1.5, 100.0, memory_bytes=1 << 30)
SECOND = EpochReport(2, 20, 1.5, 0.5, 1.75, 0.375, 0.05, 1.25, 120.0, 1.7, 0.4, 3 << 30)
BEFORE_MEMORY = (
    "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds,images_per_second\n"
    "1,10,2.25,0.125,,,0.1,1.5,100.0\n2,20,1.5,0.5,1.75,0.375,0.05,1.25,120.0\n"
)


@pytest.fixture
def tracker(tmp_path):
    return FileTracker(tmp_path)


def test_an_epoch_is_read_back_as_it_was(tracker, tmp_path):
    tracker.start(INFO)
    tracker.epoch(FIRST)
    tracker.epoch(SECOND)
    assert load_epochs(tmp_path / "metrics.csv") == (FIRST, SECOND)
    assert json.loads((tmp_path / "events.jsonl").read_text().splitlines()[1])["memory_bytes"] == 1 << 30


def test_metrics_without_memory_are_read(tmp_path):
    (tmp_path / "metrics.csv").write_text(BEFORE_MEMORY)
    assert [epoch.memory_bytes for epoch in load_epochs(tmp_path / "metrics.csv")] == [None, None]


def test_a_run_begun_under_an_older_version_goes_on_in_todays_columns(tracker, tmp_path):
    (tmp_path / "metrics.csv").write_text(BEFORE_MEMORY)
    tracker.start(replace(INFO, start_step=20))
    tracker.epoch(replace(SECOND, epoch=3, step=30))
    rows = list(csv.reader((tmp_path / "metrics.csv").read_text().splitlines()))
    assert {len(row) for row in rows} == {len(COLUMNS)}
    last = load_epochs(tmp_path / "metrics.csv")[-1]
    assert (last.epoch, last.memory_bytes, last.val_accuracy_ema) == (3, 3 << 30, 0.4)


def test_columns_in_another_order_keep_their_figures(tracker, tmp_path):
    header, *rows = (line.split(",") for line in BEFORE_MEMORY.splitlines())
    (tmp_path / "metrics.csv").write_text("".join(",".join(line[::-1]) + "\n" for line in (header, *rows)))
    before = load_epochs(tmp_path / "metrics.csv")
    tracker.start(replace(INFO, start_step=20))
    assert load_epochs(tmp_path / "metrics.csv") == before


def test_epochs_after_the_checkpoint_leave_the_metrics(tracker, tmp_path):
    tracker.start(INFO)
    tracker.epoch(FIRST)
    tracker.epoch(SECOND)
    tracker.start(replace(INFO, start_step=10))
    assert load_epochs(tmp_path / "metrics.csv") == (FIRST,)
