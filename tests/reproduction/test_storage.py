import json

import pytest

from windtunnel.core.files import write_json
from windtunnel.dispatch.types import Outcome
from windtunnel.errors import CheckpointError
from windtunnel.recipes import load_experiment
from windtunnel.reproduction.storage import ReproductionFolder, place_of, worked_seconds
from windtunnel.reproduction.types import Cut, Plan, PlannedRun

TINY = load_experiment("quickstart", ["train.epochs=2"])
PLAN = Plan(
    report="S4",
    budget_minutes=8.0,
    cut=Cut(0.25, 600),
    runs=(PlannedRun("one", TINY, 12.5), PlannedRun("two", TINY, None)),
    left_out=("three",),
    reductions=("2 of 8 epochs",),
    seconds=12.5,
    parallel=2,
    overrides=("train.epochs=2",),
)


def test_a_frozen_plan_is_read_back_as_it_was(tmp_path):
    folder = ReproductionFolder(tmp_path / "S4-12345678")
    assert folder.read_plan() is None
    folder.write_plan(PLAN)
    assert folder.read_plan() == PLAN


def test_a_damaged_plan_is_named(tmp_path):
    folder = ReproductionFolder(tmp_path)
    folder.write_plan(PLAN)
    tree = json.loads((tmp_path / "plan.json").read_text())
    write_json(tmp_path / "plan.json", {key: value for key, value in tree.items() if key != "cut"})
    with pytest.raises(CheckpointError, match=r"plan\.json"):
        folder.read_plan()


def test_the_place_depends_on_what_is_run_and_on_the_budget(tmp_path):
    other = load_experiment("quickstart", ["train.epochs=3"])
    places = [
        place_of("S4", [TINY], 8.0, "auto", tmp_path),
        place_of("S4", [TINY], 9.0, "auto", tmp_path),
        place_of("S4", [TINY], None, "auto", tmp_path),
        place_of("S4", [other], 8.0, "auto", tmp_path),
        place_of("S4", [TINY], 8.0, "cpu", tmp_path),
    ]
    assert len({place.path for place in places}) == 5
    assert places[0] == place_of("S4", [TINY], 8.0, "auto", tmp_path)
    assert places[0].path.parent == tmp_path / "reproductions"


def end(folder, run, status):
    place = folder.run(run)
    place.mkdir(parents=True)
    (place / "config.yaml").write_text("name: x\n")
    write_json(place / "summary.json", {"status": status, "metrics": {"test_accuracy": 0.5}})


def test_what_ended_is_told_from_what_is_left(tmp_path):
    folder = ReproductionFolder(tmp_path)
    end(folder, "one", "finished")
    assert not folder.has_ended(PLAN, by_trials=False)
    found = folder.collect(PLAN, [Outcome("two", "failed", "out of paper")])
    assert list(found.runs) == ["one"]
    assert found.percent("one", "test_accuracy") == 50.0
    assert found.percent("two", "test_accuracy") is None
    assert found.troubles == {"two": "failed: out of paper"}


def test_a_diverged_run_has_ended_and_has_no_result(tmp_path):
    folder = ReproductionFolder(tmp_path)
    end(folder, "one", "finished")
    end(folder, "two", "diverged")
    assert folder.has_ended(PLAN, by_trials=False)
    assert folder.collect(PLAN).troubles == {"two": "diverged"}


def test_trials_have_ended_once_they_are_answered(tmp_path):
    folder = ReproductionFolder(tmp_path)
    assert not folder.has_ended(PLAN, by_trials=True)
    comparison = tmp_path / "comparisons" / "S1-12345678"
    (comparison / "runs" / "0000-A").mkdir(parents=True)
    write_json(comparison / "ablation.json", {})
    write_json(comparison / "runs" / "0000-A" / "trial.json", {"cold_start_seconds": 30.0, "warm_up_seconds": 2.5})
    assert folder.has_ended(PLAN, by_trials=True)
    found = folder.collect(PLAN)
    assert (found.comparison, found.troubles) == (comparison, {})
    assert worked_seconds(found) == 32.5
