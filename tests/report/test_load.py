import pytest

from windtunnel.core.reports import EpochReport
from windtunnel.errors import CheckpointError
from windtunnel.report.load import load_epochs, load_run


def test_a_run_is_read_back(run_folder):
    run = load_run(run_folder)
    assert run.name == run_folder.name
    assert run.overrides == ("seed=3",)
    assert run.environment["packages"] == {"torch": "2.13.0"}
    assert run.summary["status"] == "finished"
    assert run.epochs[1] == EpochReport(2, 20, 1.5, 0.5, 1.75, 0.375, 0.05, 1.25, 120.0)


def test_what_was_not_validated_has_no_validation_figures(run_folder):
    first = load_run(run_folder).epochs[0]
    assert (first.val_loss, first.val_accuracy) == (None, None)


def test_a_run_that_has_only_begun_is_read(tmp_path):
    (tmp_path / "config.yaml").write_text("name: new\n")
    run = load_run(tmp_path)
    assert (run.epochs, run.summary, run.environment, run.overrides) == ((), {}, {}, ())


def test_a_line_cut_short_by_a_crash_is_left_out(run_folder):
    metrics = run_folder / "metrics.csv"
    metrics.write_text(metrics.read_text() + "3,30,1.2,0.6")
    assert [row.epoch for row in load_epochs(metrics)] == [1, 2]


def test_figures_that_are_not_finite_are_read(run_folder):
    metrics = run_folder / "metrics.csv"
    metrics.write_text(metrics.read_text() + "3,30,nan,0.1,,,0.1,1.0,10.0\n")
    assert load_epochs(metrics)[2].train_loss != load_epochs(metrics)[2].train_loss


@pytest.mark.parametrize("row", ["3,thirty,1,1,1,1,1,1,1\n", "3,30\n"])
def test_a_damaged_line_is_named(run_folder, row):
    metrics = run_folder / "metrics.csv"
    metrics.write_text(metrics.read_text() + row)
    with pytest.raises(CheckpointError, match=r"metrics.csv, line 4"):
        load_run(run_folder)


def test_a_folder_without_a_config_is_no_run(tmp_path):
    with pytest.raises(CheckpointError, match="not a run folder"):
        load_run(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1, 2]"])
def test_a_damaged_summary_is_named(run_folder, text):
    (run_folder / "summary.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"summary.json"):
        load_run(run_folder)
