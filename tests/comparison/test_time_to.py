import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from windtunnel.cli.time_to_texts import announce, describe, describe_attempt
from windtunnel.comparison import time_to_trial
from windtunnel.comparison.flops import count_training_flops
from windtunnel.comparison.time_to import Attempt, TimeTo, hold_out, measure_time_to
from windtunnel.comparison.time_to_trial import Goal
from windtunnel.config.experiment import Experiment
from windtunnel.errors import RunError, UsageError
from windtunnel.training.assemble import assemble
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
        done.append(order.name[:6])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["trial", str(order)])
            time_to_trial.main()
        return 0

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("windtunnel.comparison.time_to.launch", launch_here)
    return done


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float | None]]:
    """Trials' seconds by letter and seed, None for one that misses; nothing is trained."""
    seconds: dict[str, list[float | None]] = {}

    def pretend(module: str, order: Path, log: Path, interruption: Interruption) -> int:
        letter, seed = order.name[5], int(order.name[:4])
        took = seconds[letter][seed]
        found = {"reached": took is not None, "seconds": took or 9.0, "epochs": 2.0, "accuracy": 0.9, "best": 0.91}
        machine = {"machine": {"host": "here" if seed < 8 else "there"}, "before": {"load": 0.0}}
        text = json.dumps({**found, "flops": 3e12, **machine})
        Path(json.loads(order.read_text())["result"]).write_text(text)
        return 0

    monkeypatch.setattr("windtunnel.comparison.time_to.launch", pretend)
    return seconds


def measure(designs: list[Experiment], goal: Goal, tmp_path: Path, trials: int = 1, **fields: Any) -> TimeTo:
    named = [(f"design {index}", design) for index, design in enumerate(designs)]
    return measure_time_to(named, goal, runs_dir=tmp_path, warm_up=False, trials=trials, **fields)


def longer(experiment: Experiment, epochs: float) -> Experiment:
    return experiment.model_copy(update={"train": experiment.train.model_copy(update={"epochs": epochs})})


def test_training_stops_at_the_target_between_epochs_and_goes_on_with_more_seeds(
    tiny: Experiment, tmp_path: Path, launched: list[str]
) -> None:
    goal = Goal(0.5, "validation", every=0.25)
    first = measure([tiny], goal, tmp_path)
    [attempt] = first.finishes[0].attempts
    assert attempt.reached and attempt.accuracy >= 0.5
    assert 0 < attempt.epochs < 6
    held = json.loads((first.folder / "trials" / "0000-A.result.json").read_text())
    assert [look["epochs"] for look in held["looks"]][:3] == [0.25, 0.5, 0.75]
    assert all(look["accuracy"] < 0.5 for look in held["looks"][:-1])
    assert held["clocks"]["prepare"] + held["clocks"]["train"] == pytest.approx(attempt.seconds)
    both = measure([tiny], goal, tmp_path, trials=2)
    assert launched == ["0000-A", "0001-A"]
    assert both.finishes[0].attempts[0] == attempt
    assert both.finishes[0].reached == 2


def test_looking_often_changes_no_weights_and_is_off_the_clock(
    tiny: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = time_to_trial.train_to(hold_out(longer(tiny, 1.0)), Goal(1.0, "validation", every=5.0))
    measured = time_to_trial._measure

    def slow(*fields: Any) -> float:
        time.sleep(0.05)
        return measured(*fields)

    monkeypatch.setattr(time_to_trial, "_measure", slow)
    start = time.perf_counter()
    often = time_to_trial.train_to(hold_out(longer(tiny, 1.0)), Goal(1.0, "validation", every=1 / 14))
    wall = time.perf_counter() - start
    assert (len(often["looks"]), len(once["looks"])) == (14, 1)
    assert often["looks"][-1]["accuracy"] == once["looks"][-1]["accuracy"]
    assert often["clocks"]["evaluate"] >= 14 * 0.05
    assert sum(often["clocks"].values()) < wall
    seconds = [look["seconds"] for look in often["looks"]]
    assert seconds == sorted(seconds)


def test_a_target_that_is_never_reached_is_said(tiny: Experiment, tmp_path: Path) -> None:
    found = measure([longer(tiny, 1.0)], Goal(1.0, "test"), tmp_path)
    assert (found.all_reached, found.finishes[0].seconds) == (False, None)
    assert "A design 0 never reached 100% in 1 trials" in describe(found)


def test_designs_take_turns_and_ratios_are_of_pairs_that_reached(
    tiny: Experiment, tmp_path: Path, pretended: dict[str, list[float | None]]
) -> None:
    pretended |= {"A": [8.0, 10.0, 12.0, 4.0], "B": [4.0, 5.0, None, 2.0]}
    told: list[Attempt] = []
    found = measure([tiny, longer(tiny, 3.0)], Goal(0.9, "test"), tmp_path, trials=4, tell=told.append)
    assert "".join(attempt.letter for attempt in told) == "ABBAABBA"
    [ratio] = found.ratios
    assert (ratio.pairs, ratio.ratio, ratio.low, ratio.high) == (3, *[pytest.approx(0.5)] * 3)
    text = describe(found)
    assert "B takes 0.500 of the time of A design 0 (95% interval 0.500 to 0.500, 3 pairs)" in text
    assert "B design 1 missed 90% in 1 of 4 trials (91.00% at best)" in text
    assert max(map(len, text.splitlines()[:-1])) <= 120
    assert describe_attempt(told[0]) == "A seed 0: reached after 8.00 s, 2 epochs, 3 TFLOP, 90.00%"
    held = json.loads((found.folder / "time_to.json").read_text())
    assert held["ratios"][0]["pairs"] == 3
    assert (held["command"], held["machine"], held["trials"]) == (sys.argv, {"host": "here"}, 4)


def test_interval_of_the_ratio_is_a_t_interval_of_logarithms(
    tiny: Experiment, tmp_path: Path, pretended: dict[str, list[float | None]]
) -> None:
    pretended |= {"A": [1.0, 1.0], "B": [0.25, 1.0]}
    [ratio] = measure([tiny, longer(tiny, 3.0)], Goal(0.9, "test"), tmp_path, trials=2).ratios
    assert ratio.ratio == pytest.approx(0.5)
    # the two logarithms lie ln 2 either side of their mean, so their standard error is ln 2; t(0.975, 1) = 12.7062
    assert ratio.high == pytest.approx(0.5 * 2**12.7062, rel=1e-4)


def test_trials_of_another_machine_are_refused(
    tiny: Experiment, tmp_path: Path, pretended: dict[str, list[float | None]]
) -> None:
    pretended["A"] = [1.0] * 9
    with pytest.raises(UsageError, match="A of seed 7 and A of seed 8 differ in host here and there"):
        measure([tiny], Goal(0.9, "test"), tmp_path, trials=2, first_seed=7)


def test_a_trial_that_fails_is_said(tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(module: str, order: Path, log: Path, interruption: Interruption) -> int:
        log.write_text("first\nout of luck\n")
        return 1

    monkeypatch.setattr("windtunnel.comparison.time_to.launch", fail)
    with pytest.raises(RunError, match="0000-A failed: out of luck"):
        measure([tiny], Goal(0.9, "test"), tmp_path)


def test_other_images_and_twins_are_refused(tiny: Experiment, tmp_path: Path) -> None:
    other = tiny.model_copy(update={"data": hold_out(tiny).data})
    with pytest.raises(UsageError, match=r"data\.split"):
        measure([tiny, longer(other, 2.0)], Goal(0.9, "test"), tmp_path)
    with pytest.raises(UsageError, match="same experiment"):
        measure([tiny, tiny], Goal(0.9, "test"), tmp_path)


def test_a_tenth_is_held_out_where_nothing_is(tiny: Experiment) -> None:
    assert hold_out(tiny).data.split.model_dump()["validation"] == 0.1
    own = hold_out(tiny).model_copy(update={"seed": 3})
    assert hold_out(own) == own


@pytest.mark.parametrize("fields", [{"target": 94.0}, {"every": 0.0}, {"after": -1.0}])
def test_goals_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"94|every 0|after -1"):
        replace(Goal(0.9, "test"), **fields)


@pytest.mark.parametrize(
    ("every", "after", "due"), [(0.5, 0.0, [4, 7, 11, 14]), (1.0, 1.0, [14]), (0.1, 1.9, [14]), (3.0, 0.0, [])]
)
def test_looks_are_due_at_or_past_each_fraction(every: float, after: float, due: list[int]) -> None:
    goal = Goal(0.9, "test", every, after)
    assert [step for step in range(1, 15) if goal.is_due(step, 7)] == due


def test_flops_count_every_image_at_its_size(tiny: Experiment) -> None:
    fields = tiny.model_dump(mode="json")
    fields["model"] = {"name": "sequential", "blocks": [{"name": "conv", "out_channels": 4}, {"name": "head"}]}
    fields["train"] = {"epochs": 2.0, "resize": [[0.0, 4], [1.0, 8]]}
    parts = assemble(Experiment.model_validate(fields))
    steps = parts.steps_per_epoch
    image = {size: 9 * 4 * size * size + 40 for size in (4, 8)}
    assert count_training_flops(parts, 2 * steps) == 6 * 16 * steps * (image[4] + image[8])


def test_the_test_images_are_named_before_they_are_read() -> None:
    assert "the TEST images" in announce(["a"], Goal(0.9, "test"), 3)
