"""The verbs that compare, up to where they would train."""

from pathlib import Path

import pytest

from windtunnel.cli.compare_texts import describe, describe_load
from windtunnel.comparison.answer import evaluate_trials
from windtunnel.comparison.contest import Rules, set_up
from windtunnel.comparison.trials import Trial
from windtunnel.recipes import load_recipe

CLOCKS = {"prepare": 12.3, "train": 1234.5, "evaluate": 67.8, "cold_start": 1333.3}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "b.yaml").write_text("base: quickstart\noptim: {lr: 0.02}\n")
    (tmp_path / "changes.yaml").write_text("slow: [optim.lr=0.02]\n")
    (tmp_path / "odd.yaml").write_text("slow: [optim.lrr=0.02]\n")
    return tmp_path


def test_compare_prints_its_plan(cli, files):
    shown = cli("compare", "quickstart", "b.yaml", "--trials", "4", "--dry-run")
    assert shown.code == 0
    assert "up to 4 trials of each" in shown.out
    assert "  B b\n8 trials at most; the time is estimated once" in shown.out


def test_compare_refuses_the_same_twice(cli):
    shown = cli("compare", "quickstart", "quickstart", "--dry-run")
    assert shown.code == 2
    assert "same experiment" in shown.err


def test_ablate_prints_its_plan(cli, files):
    shown = cli("ablate", "quickstart", "--changes", "changes.yaml", "--trials", "3", "--dry-run")
    assert (shown.code, "  B slow" in shown.out) == (0, True)


def test_ablate_names_the_change_and_the_field(cli, files):
    shown = cli("ablate", "quickstart", "--changes", "odd.yaml", "--dry-run")
    assert shown.code == 2
    assert "change 'slow'" in shown.err and "did you mean 'lr'" in shown.err


def test_time_to_wants_percent(cli):
    shown = cli("bench", "time-to", "quickstart", "--target", "0.94")
    assert (shown.code, "e.g. 94" in shown.err) == (2, True)


def test_bench_without_a_verb_takes_names_of_benchmarks(cli):
    shown = cli("bench", "nothing_like_it")
    assert (shown.code, "there is no benchmark 'nothing_like_it'" in shown.err) == (2, True)


def test_tables_of_long_names_and_times_fit_120_columns():
    long = load_recipe("airbench94_muon_resized")
    contest = set_up(
        [("cifar10/airbench94_muon", load_recipe("airbench94_muon")), (long.name + "_of_mine", long)], Rules(5)
    )
    trials = [
        [
            Trial(
                letter,
                seed,
                Path(),
                0.94 + 0.001 * seed * (letter == "B"),
                CLOCKS | {"train": 1e3 + seed},
                False,
                True,
                {},
                flops=2.3324e15,
            )
            for letter in "AB"
        ]
        for seed in range(5)
    ]
    text = describe(evaluate_trials(contest, trials))
    assert max(map(len, text.splitlines())) <= 120
    assert "5 resumed" in text
    assert text.count("2,332") == 2


def test_a_busy_machine_is_said():
    assert describe_load([0.5, 0.5, 1e4]) == ""
    assert "load 10000.0 on" in describe_load([0.5, 1e4, 1e4])
