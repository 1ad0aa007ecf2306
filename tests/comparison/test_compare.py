import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from windtunnel import __version__
from windtunnel.comparison import trial
from windtunnel.comparison.answer import evaluate_trials
from windtunnel.comparison.contest import Contest, Rules, set_up
from windtunnel.comparison.flops import count_training_flops
from windtunnel.comparison.launch import Interrupted
from windtunnel.comparison.run import compare
from windtunnel.comparison.sequential import judge
from windtunnel.comparison.trials import Trial, judge_all, run_trials
from windtunnel.config.experiment import Experiment
from windtunnel.errors import RunError, UsageError
from windtunnel.training import run
from windtunnel.training.assemble import assemble
from windtunnel.training.interruption import Interruption


def experiment(**fields: Any) -> Experiment:
    tree = {
        "name": "tiny",
        "data": {
            "source": "digits",
            "split": {"name": "official", "validation": 0.1},
            "batch_size": 16,
            "train_limit": 64,
        },
        "model": {"name": "cnn", "widths": [4, 4], "hidden": 4},
        "train": {"epochs": 1.0},
        "runtime": {"device": "cpu", "threads": 1, "tune_allocator": False},
    }
    return Experiment.model_validate(tree | fields)


@pytest.fixture(autouse=True)
def no_pictures_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run's own picture and page take longer than its training here."""
    for name in ("save_curves", "write_report"):
        monkeypatch.setattr(f"windtunnel.training.run.{name}", lambda folder: None)


SLOW = experiment()
FAST = experiment(optim={"name": "sgd", "lr": 0.2})


def contest(**rules: Any) -> Contest:
    return set_up([("slow", SLOW), ("fast", FAST)], Rules(**rules))


def trials(accuracies: list[float], seconds: list[float], letter: str) -> list[Trial]:
    return [
        Trial(letter, seed, Path("run"), accuracy, {"train": second, "cold_start": second}, False, False, {})
        for seed, (accuracy, second) in enumerate(zip(accuracies, seconds, strict=True))
    ]


def pairs(a: list[Trial], b: list[Trial]) -> list[list[Trial]]:
    return [list(pair) for pair in zip(a, b, strict=True)]


def test_order_is_abba() -> None:
    letters = "".join(one.letter for pair in range(4) for one in contest().order(pair))
    assert letters == "ABBAABBA"


@pytest.mark.parametrize(
    ("designs", "rules", "said"),
    [
        ([("one", SLOW)], Rules(), "at least two"),
        ([("one", SLOW), ("two", FAST)], Rules(trials=1), "--trials"),
        ([("one", SLOW), ("two", SLOW.model_copy(update={"name": "x", "seed": 3}))], Rules(), "same experiment"),
        ([("one", SLOW), ("two", FAST)], Rules(alpha=1.5), "--alpha"),
        ([("one", SLOW), ("two", FAST)], Rules(accuracy_margin=0.0), "--accuracy-margin"),
        (
            [("one", SLOW), ("two", experiment(data=SLOW.data.model_dump() | {"split": {"name": "official"}}))],
            Rules(),
            r"data\.split",
        ),
        (
            [("one", SLOW), ("two", experiment(evaluate={"test": False}))],
            Rules(metric="test_accuracy"),
            "does not read its test",
        ),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_runs(designs: Any, rules: Rules, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        set_up(designs, rules)


def test_s1_s_published_trials_get_the_verdict_the_report_could_not_give() -> None:
    base = trials([0.9403, 0.94, 0.9399, 0.9401, 0.9408], [114.545, 114.254, 114.332, 114.365, 114.409], "A")
    modified = trials([0.9308, 0.9315, 0.9316, 0.9322, 0.9145], [108.288, 107.908, 107.976, 107.866, 108.334], "B")
    planned = evaluate_trials(contest(trials=5, stop_early=False), pairs(base, modified)).answers[0]
    assert "5.5% faster (95% CI 5.4 to 5.6%, p<0.0001)" in planned.sentence
    assert "1.21 points worse (95% CI -2.27 to -0.83, p=0.027)" in planned.sentence
    looked_at = evaluate_trials(contest(trials=5), pairs(base, modified)).answers[0]
    assert (looked_at.time_finding.decision, looked_at.accuracy_finding.decision) == ("differs", "open")
    assert "not shown to be better or worse (-1.21 points" in looked_at.sentence


def test_equal_designs_are_called_equal_within_the_margins() -> None:
    noise = [0.0001, -0.0001, 0.0002, -0.0002, 0.0, 0.0001, -0.0001, 0.0]
    a = trials([0.9 + x for x in noise], [10 + 10 * x for x in noise], "A")
    b = trials([0.9 - x for x in noise], [10 - 20 * x for x in noise], "B")
    answer = evaluate_trials(contest(trials=8), pairs(a, b)).answers[0]
    assert (answer.time_finding.decision, answer.accuracy_finding.decision) == ("equivalent", "equivalent")
    assert "equally fast within 2% and equally accurate within 0.2 points" in answer.sentence


def test_several_designs_share_the_error() -> None:
    three = set_up([("slow", SLOW), ("fast", FAST), ("other", experiment(optim={"name": "sgd", "lr": 0.3}))], Rules())
    a, b = [0.9, 0.91, 0.9, 0.92, 0.9, 0.91], [0.93, 0.93, 0.94, 0.93, 0.93, 0.92]
    times = [1.0, 1.1, 1.0, 1.2, 1.0, 1.1]
    row = pairs(trials(a, times, "A"), trials(b, times[::-1], "B"))
    alone = judge_all(contest(), row)[0].accuracy
    beside = judge_all(three, [[*pair, pair[0]] for pair in row])[0].accuracy
    halved = judge([y - x for x, y in zip(a, b, strict=True)], margin=0.002, alpha=0.025)
    assert (beside.low, beside.high) == (halved.low, halved.high)
    assert beside.low < alone.low


def test_trials_end_when_every_question_is_settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pretend(rules: Contest, contestant: Any, folder: Path, seed: int, interruption: Any) -> Trial:
        better = contestant.letter == "B"
        return trials([0.9 + 0.05 * better + 0.001 * seed], [10.0 - 5 * better + 0.01 * (seed % 3)], contestant.letter)[
            0
        ]

    monkeypatch.setattr("windtunnel.comparison.trials._run_once", pretend)
    found = run_trials(contest(trials=50), tmp_path, lambda trial, position: None)
    assert 2 < len(found) < 10
    everything = run_trials(contest(trials=12, stop_early=False), tmp_path, lambda trial, position: None)
    assert len(everything) == 12


def test_trials_of_another_machine_are_not_mixed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pretend(rules: Contest, contestant: Any, folder: Path, seed: int, interruption: Any) -> Trial:
        return Trial(contestant.letter, seed, tmp_path, 0.9, {"train": 1.0}, False, False, {"host": contestant.letter})

    monkeypatch.setattr("windtunnel.comparison.trials._run_once", pretend)
    with pytest.raises(UsageError, match="host A and B"):
        run_trials(contest(), tmp_path, lambda trial, position: None)


def launch_here(module: str, order: Path, log: Path, interruption: Interruption) -> int:
    """Do a trial in this process, which saves the start of another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["trial", str(order)])
        trial.main()
    return 0


def test_a_comparison_runs_and_given_again_runs_nothing_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("windtunnel.comparison.trials.launch", launch_here)
    designs = [("slow", SLOW), ("fast", FAST)]
    rules = Rules(trials=2)
    first = compare(designs, rules, runs_dir=tmp_path)
    written = {path: path.stat().st_mtime_ns for path in first.folder.glob("runs/*/summary.json")}
    assert len(written) == 4
    told: list[str] = []
    again = compare(designs, rules, runs_dir=tmp_path, tell=lambda trial, position: told.append(trial.letter))
    assert told == ["A", "B", "B", "A"]
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert again.comparison == first.comparison
    held = json.loads((first.folder / "comparison.json").read_text())
    assert {one["flops"] for one in held["trials"]} == {count_training_flops(assemble(SLOW), 4)}
    assert len(held["trials"]) == 4
    assert (held["command"], held["windtunnel"]) == (sys.argv, __version__)
    assert held["machine"] == held["trials"][0]["machine"] | {"torch": torch.__version__}
    assert held["date"].startswith("20")
    assert (first.folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_work_of_each_design_is_counted_and_a_trial_without_a_count_leaves_it_open() -> None:
    counted = [
        replace(trial, flops=flops) for trial, flops in zip(trials([0.9, 0.9], [1, 1], "A"), (2e12, 4e12), strict=True)
    ]
    found = evaluate_trials(contest(trials=2), pairs(counted, trials([0.9, 0.9], [2, 2], "B")))
    assert [figures.flops for figures in found.figures] == [3e12, None]


def test_two_trials_are_too_few_for_an_interval_at_any_time() -> None:
    answer = evaluate_trials(
        contest(trials=9), pairs(trials([0.9, 0.91], [10, 11], "A"), trials([0.8, 0.88], [9, 11], "B"))
    ).answers[0]
    assert answer.sentence.count("too few trials for an interval yet") == 2
    assert "inf" not in answer.sentence


def test_two_equal_differences_by_chance_are_no_proof() -> None:
    """Of few images, two pairs often differ by the same number of them."""
    few = evaluate_trials(
        contest(trials=2, stop_early=False), pairs(trials([0.5, 0.75], [1, 1], "A"), trials([0.75, 1.0], [1, 1], "B"))
    ).answers[0]
    assert (few.accuracy_p, few.accuracy_finding.decision) == (None, "open")
    base, better = [0.5, 0.25] * 3, [0.75, 0.5] * 3
    many = evaluate_trials(
        contest(trials=6, stop_early=False), pairs(trials(base, [1] * 6, "A"), trials(better, [1] * 6, "B"))
    ).answers[0]
    assert many.accuracy_finding.decision == "differs"


def test_the_sentence_gives_an_open_time_the_sign_of_the_table_and_tells_of_divergence() -> None:
    a, b = trials([0.9] * 5, [10, 11, 12, 9, 10], "A"), trials([0.9] * 5, [11, 10, 14, 9.5, 10.5], "B")
    b[1] = replace(b[1], accuracy=0.0, diverged=True)
    answer = evaluate_trials(contest(trials=5), pairs(a, b)).answers[0]
    assert answer.time.difference > 0
    assert "not shown to be faster or slower (+5.3% time, 95% interval at any time -" in answer.sentence
    assert answer.sentence.endswith(
        "1 of B's 5 trials diverged: they count with accuracy 0 and with the time until they stopped."
    )


def test_equivalence_is_adjusted_for_several_designs() -> None:
    three = set_up([("slow", SLOW), ("fast", FAST), ("other", experiment(optim={"name": "sgd", "lr": 0.3}))], Rules())
    a = trials([0.9, 0.91, 0.9, 0.92], [1, 1.1, 1, 1.2], "A")
    b, c = trials([0.901, 0.91, 0.9, 0.92], [1, 1, 1, 1], "B"), trials([0.9, 0.91, 0.899, 0.92], [1, 1, 1, 1.1], "C")
    alone = [evaluate_trials(contest(), pairs(a, each)).answers[0].accuracy.p_equivalent for each in (b, c)]
    both = evaluate_trials(three, [list(row) for row in zip(a, b, c, strict=True)]).answers
    assert None not in alone
    assert [one.accuracy.p_equivalent for one in both] == pytest.approx([2 * (p or 0) for p in alone])


def test_an_accuracy_that_was_not_measured_is_no_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def end_without_metrics(module: str, order: Path, log: Path, interruption: Interruption) -> int:
        run = Path(json.loads(order.read_text())["folder"])
        run.mkdir(parents=True)
        (run / "trial.json").write_text("{}")
        (run / "summary.json").write_text('{"status": "finished", "metrics": {"train_loss": 1.0}}')
        return 0

    monkeypatch.setattr("windtunnel.comparison.trials.launch", end_without_metrics)
    with pytest.raises(RunError, match=r"0000-A of A slow ended without val_accuracy.*--metric"):
        run_trials(contest(), tmp_path, lambda trial, position: None)


def test_a_set_s_own_validation_images_may_be_asked_for() -> None:
    data = {"source": {"name": "image_folder", "path": "x", "image_size": 8}}
    designs = [("slow", experiment(data=data)), ("fast", experiment(data=data, optim={"name": "sgd", "lr": 0.2}))]
    assert set_up(designs, Rules(metric="val_accuracy")).metric == "val_accuracy"


class Killed(BaseException):
    """Stands for SIGKILL: nothing that mends things catches it."""


def test_a_killed_comparison_goes_on_within_the_trial_it_was_killed_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    designs, rules = [("slow", SLOW), ("fast", FAST)], Rules(trials=2, warm_up=False, stop_early=False)
    launched: list[str] = []

    def die_in_the_third(module: str, order: Path, log: Path, interruption: Interruption) -> int:
        launched.append(order.stem)
        if len(launched) == 3:
            monkeypatch.setattr(run, "summarise", kill)
        return launch_here(module, order, log, interruption)

    def kill(*arguments: Any, **named: Any) -> None:
        raise Killed

    real = run.summarise
    monkeypatch.setattr("windtunnel.comparison.trials.launch", die_in_the_third)
    with pytest.raises(Killed):
        compare(designs, rules, runs_dir=tmp_path)
    monkeypatch.setattr(run, "summarise", real)
    monkeypatch.setattr("windtunnel.comparison.trials.launch", launch_here)
    told: list[tuple[str, bool]] = []
    found = compare(
        designs, rules, runs_dir=tmp_path, tell=lambda trial, position: told.append((trial.letter, trial.resumed))
    )
    assert told == [("A", False), ("B", False), ("B", True), ("A", False)]
    assert [figures.resumed for figures in found.comparison.figures] == [0, 1]


def test_ctrl_c_stops_the_trial_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -INT $PPID\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(Interrupted, match="same command again to go on") as stopped:
        compare([("slow", SLOW), ("fast", FAST)], Rules(trials=2), runs_dir=tmp_path)
    assert stopped.value.exit_code == 130


def test_a_trial_that_fails_names_its_log_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def break_the_second(trial: Trial, position: int) -> None:
        monkeypatch.setattr(sys, "executable", "/bin/false")

    designs = [("slow", SLOW), ("broken", FAST)]
    with pytest.raises(RunError, match=r"0000-B\.log"):
        compare(designs, Rules(trials=2, warm_up=False), runs_dir=tmp_path, tell=break_the_second)
    assert list(tmp_path.glob("comparisons/*/runs/0000-A/summary.json"))
