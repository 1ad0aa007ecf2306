import json

import pytest

from windtunnel.reproduction import run as running
from windtunnel.reproduction.cutting import Sizes
from windtunnel.reproduction.planner import Pace


@pytest.fixture(autouse=True)
def _known_pace(monkeypatch):
    """Make this the machine that trains 50 images a second."""

    def measure(experiments, device, *, parallel, threads):
        return [Pace(0.02, 0.005, 5.0, Sizes(49_000, 1_000, 10_000)) for _ in experiments]

    monkeypatch.setattr(running, "measure_paces", measure)


def test_a_dry_run_shows_runs_what_is_cut_and_the_time_and_writes_nothing(cli, tmp_path):
    shown = cli("reproduce", "S4", "--budget", "30", "--device", "cpu", "--dry-run")
    assert shown.code == 0
    assert "Reduced to 30 minutes: 10 of 200 epochs" in shown.out
    assert "of 49,000 training images" in shown.out
    assert "slim_resnet" in shown.out
    assert "expected:" in shown.out
    assert not (tmp_path / "runs").exists()


def test_a_plan_as_json_holds_the_experiments(cli):
    shown = cli("reproduce", "S3", "--budget", "60", "--device", "cpu", "--dry-run", "--json", "seed=7")
    told = json.loads(shown.out)
    assert told["report"] == "S3"
    assert told["expected_seconds"] <= 3600
    [run] = told["runs"]
    assert run["experiment"]["seed"] == 7
    assert run["experiment"]["model"]["name"] == "improved_resnet"
    assert run["experiment"]["data"]["train_limit"] >= 3000


def test_trials_are_planned_as_variants(cli):
    shown = cli("reproduce", "S1", "--budget", "6000", "--device", "cpu", "--dry-run", "--json")
    told = json.loads(shown.out)
    assert [run["run"] for run in told["runs"]][::5] == ["base", "all_four"]
    assert told["parallel"] == 1
    assert {run["experiment"]["runtime"]["device"] for run in told["runs"]} == {"cpu"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["S9"], "there is no report 'S9'"),
        (["S4", "--budget", "soon"], "--budget: 'soon' is neither a number of minutes nor `full`"),
        (["S4", "--budget", "0"], "--budget: 0 is no number of minutes above 0"),
        (["S4", "--budget", "1"], "--budget: 1 minutes are too few for S4"),
        (["S4", "optim.lr=fast"], "optim.lr"),
        (["S4", "--device", "tpu"], "tpu"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_computed(cli, tmp_path, words, said):
    refused = cli("reproduce", *words)
    assert refused.code == 2
    assert said in refused.err
    assert not (tmp_path / "runs").exists()


def test_a_page_is_made_and_figures_are_shown(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_train", lambda *_: ())
    shown = cli("reproduce", "S3", "--budget", "60", "--device", "cpu")
    assert shown.code == 3, "nothing was trained, so its run has no result"
    assert "98.67" in shown.out
    assert "not run" in shown.out
    [folder] = (tmp_path / "runs" / "reproductions").iterdir()
    assert (folder / "report.html").is_file()
    assert json.loads((folder / "reproduction.json").read_text())["report"] == "S3"
