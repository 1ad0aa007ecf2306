import json
import sys
from pathlib import Path
from typing import Any

import pytest

from windtunnel.cli.bench import describe
from windtunnel.comparison import time_to_trial
from windtunnel.comparison.time_to import hold_out, measure_time_to
from windtunnel.config.experiment import Experiment
from windtunnel.errors import UsageError
from windtunnel.training.interruption import Interruption


@pytest.fixture
def tiny() -> Experiment:
    return Experiment.model_validate(
        {
            "name": "tiny",
            "data": {"source": "digits", "batch_size": 16, "train_limit": 256},
            "model": {"name": "cnn", "widths": [8, 8], "hidden": 16},
            "train": {"epochs": 6.0},
            "runtime": {"device": "cpu", "threads": 1, "tune_allocator": False},
        }
    )


@pytest.fixture(autouse=True)
def launched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Do trials in this process, which saves the start of others; holds what was done."""
    done: list[str] = []

    def launch_here(module: str, order: Path, log: Path, interruption: Interruption) -> int:
        done.append(order.name[:4])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["trial", str(order)])
            time_to_trial.main()
        return 0

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("windtunnel.comparison.time_to.launch", launch_here)
    return done


def measure(tiny: Experiment, target: float, tmp_path: Path, **fields: Any) -> Any:
    wanted = {"on": "validation", "trials": 1, "warm_up": False} | fields
    return measure_time_to(tiny, target, runs_dir=tmp_path, **wanted)


def test_training_stops_at_the_target_and_goes_on_with_more_seeds(
    tiny: Experiment, tmp_path: Path, launched: list[str]
) -> None:
    first = measure(tiny, 0.5, tmp_path)
    [attempt] = first.attempts
    assert attempt.reached
    assert attempt.epochs < 6
    assert attempt.accuracy >= 0.5
    held = json.loads((first.folder / "trials" / "0000.result.json").read_text())
    assert all(look["accuracy"] < 0.5 for look in held["looks"][:-1])
    assert held["clocks"]["prepare"] + held["clocks"]["train"] == pytest.approx(attempt.seconds)
    both = measure(tiny, 0.5, tmp_path, trials=2)
    assert launched == ["0000", "0001"]
    assert both.attempts[0] == attempt
    assert both.reached == both.seconds.n == 2
    assert "50% reached by 2 of 2 trials" in describe(both)


def test_a_target_that_is_never_reached_is_said(tiny: Experiment, tmp_path: Path) -> None:
    short = tiny.model_copy(update={"train": tiny.train.model_copy(update={"epochs": 1.0})})
    found = measure(short, 1.0, tmp_path, on="test")
    assert (found.reached, found.seconds) == (0, None)
    assert "100% was never reached in 1 trials" in describe(found)


def test_a_tenth_is_held_out_where_nothing_is(tiny: Experiment) -> None:
    assert hold_out(tiny).data.split.validation == 0.1
    own = hold_out(tiny).model_copy(update={"seed": 3})
    assert hold_out(own) == own


def test_a_target_beyond_all_accuracies_is_refused(tiny: Experiment, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="accuracy of 94"):
        measure(tiny, 94.0, tmp_path)
