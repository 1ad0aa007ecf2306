import pytest
import torch

from windtunnel.config.experiment import Experiment
from windtunnel.errors import RunError
from windtunnel.training.tune import Timing, candidates, combine, fastest, tune

CPU = torch.device("cpu")


def test_only_settings_that_change_something_are_tried(tiny: Experiment) -> None:
    tries = candidates(tiny, CPU)
    runtime = tiny.runtime.model_dump()
    assert tries
    assert all(any(runtime[key] != value for key, value in settings.items()) for settings in tries)


def test_settings_that_helped_are_combined_and_the_faster_wins_a_field() -> None:
    rows = [
        Timing({}, 100.0),
        Timing({"threads": 1}, 90.0),
        Timing({"threads": 2}, 80.0),
        Timing({"channels_last": False}, 95.0),
        Timing({"compile": "default"}, 99.0),
        Timing({"precision": "bfloat16"}, None, "no"),
    ]
    assert combine(rows) == {"threads": 2, "channels_last": False}


def test_one_setting_that_helped_needs_no_combination() -> None:
    assert combine([Timing({}, 100.0), Timing({"threads": 1}, 50.0)]) is None


def test_without_a_clear_gain_the_experiment_is_kept() -> None:
    base = Timing({}, 100.0)
    assert fastest([base, Timing({"threads": 1}, 98.0)]) is base
    assert fastest([base, Timing({"threads": 1}, 90.0)]).settings == {"threads": 1}


@pytest.mark.slow
def test_settings_are_timed_in_processes_of_their_own(tiny: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "windtunnel.training.tune.candidates", lambda experiment, device: [{"threads": 1}, {"cuda_graph": True}]
    )
    told: list[Timing] = []
    rows, best = tune(tiny, steps=2, tell=told.append)
    assert rows == told
    assert all(row.milliseconds is not None for row in rows[:2])
    assert "CUDA" in rows[2].failure
    assert best.milliseconds is not None


def test_an_experiment_that_cannot_run_is_said(tiny: Experiment) -> None:
    broken = tiny.model_copy(update={"runtime": tiny.runtime.model_copy(update={"device": "cuda:99"})})
    with pytest.raises(RunError, match="cuda:99"):
        tune(broken, steps=1, tell=lambda row: None)
