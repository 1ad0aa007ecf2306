import csv
import io
import math

from hypothesis import given
from hypothesis import strategies as st

from catalog.folders import MadeRun, report
from windtunnel.catalog.curves import COLUMNS, CurveFile, MetricRows, Progress
from windtunnel.catalog.reading import Meter, Tail
from windtunnel.report.load import load_epochs


def test_curves_are_what_the_report_reads(tmp_path):
    MadeRun(tmp_path / "run").train(1, 2, 3)
    path = tmp_path / "run/metrics.csv"
    found, epochs = CurveFile(path, Meter()).slice(), load_epochs(path)
    for name in set(COLUMNS) - {"seconds"}:
        assert found.columns[name] == [getattr(epoch, name) for epoch in epochs]
    assert found.columns["seconds"] == [1.5, 3.0, 4.5]


def test_only_new_rows_are_given_and_read(tmp_path):
    run, meter = MadeRun(tmp_path / "run").train(1, 2), Meter()
    curves = CurveFile(run.path / "metrics.csv", meter)
    curves.slice()
    before = meter.bytes_read
    assert curves.slice(2).rows == 0
    assert meter.bytes_read == before
    run.train(3)
    found = curves.slice(2)
    assert (found.first, found.columns["epoch"], found.columns["seconds"]) == (2, [3], [4.5])


def test_a_beginning_beyond_the_end_gives_all(tmp_path):
    run = MadeRun(tmp_path / "run").train(1, 2)
    found = CurveFile(run.path / "metrics.csv", Meter()).slice(7)
    assert (found.first, found.rows) == (0, 2)


def test_a_run_that_went_on_from_an_older_checkpoint_is_given_anew(tmp_path):
    run = MadeRun(tmp_path / "run").train(1, 2, 3)
    curves = CurveFile(run.path / "metrics.csv", Meter())
    before = curves.slice()
    run.tracker.start(run.info.__class__(**{**vars(run.info), "start_step": 20}))
    run.tracker.epoch(report(2, accuracy=0.9))
    run.train(3, 4)
    found = curves.slice(3, before.generation)
    assert (found.first, found.columns["epoch"]) == (0, [1, 2, 3, 4])
    assert found.columns["val_accuracy"][1] == 0.9
    assert curves.slice(4, found.generation).rows == 0


def test_files_of_older_versions_and_half_lines_are_read(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train_loss,val_accuracy\n1,10,2.0,\n2,20,nan,0.5\n3,30,oops,0.6\n4,40\n5,50,1.0")
    found = CurveFile(path, Meter()).slice().columns
    assert found["epoch"] == [1, 2, 3]
    assert found["train_loss"] == [2.0, None, None]
    assert found["val_accuracy"] == [None, 0.5, 0.6]
    assert found["memory_bytes"] == [None, None, None]


@given(st.lists(st.lists(st.floats() | st.none() | st.text('a1.,"e', max_size=4), min_size=1, max_size=5), max_size=8))
def test_no_content_breaks_it(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "metrics.csv"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([["epoch", "val_accuracy", "seconds"], *rows])
    path.write_text(buffer.getvalue())
    found = CurveFile(path, Meter()).slice()
    assert len({len(column) for column in found.columns.values()}) == 1
    assert all(value is None or math.isfinite(value) for column in found.columns.values() for value in column)


def test_progress_needs_no_rows_kept(tmp_path):
    MadeRun(tmp_path / "run").train(1, 2)
    rows, progress = MetricRows(Tail(tmp_path / "run/metrics.csv", Meter())), Progress()
    progress.add(rows.read()[1])
    assert (progress.value("epoch"), progress.seconds, progress.best) == (2, 3.0, 0.2)
    assert progress.value("val_loss_ema") is None
