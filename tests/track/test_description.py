import pytest

from windtunnel.track.description import describe_end, describe_epoch, describe_run, flatten

from .conftest import make_info, make_report, make_run_folder, make_summary


def test_a_run_is_described_by_its_folder(run_folder):
    run = describe_run(make_info(run_folder, start_step=7), run_folder / "record.json")
    assert (run.name, run.project, run.group, run.start_step) == (run_folder.name, "tests", "", 7)
    assert run.config["augment.0.padding"] == 1
    assert run.config["train.max_minutes"] is None
    assert (run.environment["packages.torch"], run.environment["parameters"]) == ("2.13.0", 1200)


def test_the_command_line_is_kept_back(run_folder):
    run = describe_run(make_info(run_folder), run_folder / "record.json")
    assert "tellnobody" not in str(run)


def test_a_run_of_a_sweep_belongs_to_it(tmp_path):
    folder = make_run_folder(tmp_path / "p" / "lr" / "runs" / "0001")
    (tmp_path / "p" / "lr" / "sweep.yaml").touch()
    assert describe_run(make_info(folder), folder / "record.json").group == "lr"


def test_what_was_not_measured_is_left_out():
    assert "val/loss" not in describe_epoch(make_report(1))["metrics"]


def test_training_figures_are_not_repeated_at_the_end():
    assert describe_end(make_summary())["metrics"] == {"test/accuracy": 0.875, "test/loss": 0.25}
    assert describe_end({"status": "crashed"}) == {"status": "crashed", "metrics": {}, "summary": {}}


@pytest.mark.parametrize(
    ("tree", "flat"),
    [
        ({}, {}),
        ({"a": {}}, {"a": "{}"}),
        ({"a": []}, {"a": "[]"}),
        ({"a": {"b": {"c": None}}}, {"a.b.c": None}),
        ({"a": [[0.0, 7], [2.0, 8]]}, {"a.0": "[0.0, 7]", "a.1": "[2.0, 8]"}),
    ],
)
def test_trees_are_flattened(tree, flat):
    assert flatten(tree) == flat
