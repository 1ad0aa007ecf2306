import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from windtunnel.comparison.ablation import ablate, estimate_effects, plan_variants
from windtunnel.comparison.changes import Change, list_changes, load_changes
from windtunnel.comparison.contest import Rules
from windtunnel.comparison.trials import Trial
from windtunnel.errors import ConfigError, UsageError
from windtunnel.recipes import load_experiment

BASE = load_experiment("quickstart").model_dump(mode="json")
CHANGES = (
    Change("lower_rate", ((["optim", "lr"], 0.01),)),
    Change("longer", ((["train", "epochs"], 7.0),)),
    Change("smooth", ((["loss", "label_smoothing"], 0.1),)),
)
NAMES = [change.name for change in CHANGES]


def simulate(variants: Any, seeds: int, accuracy: Any, seconds: Any) -> list[list[Trial]]:
    """Trials whose accuracy and seconds are functions of the changes that are on and of the seed."""
    return [
        [
            Trial("A", seed, Path(), accuracy(one.on, seed), {"train": seconds(one.on, seed)}, False, False, {})
            for one in variants
        ]
        for seed in range(seeds)
    ]


def noise(on: Any, seed: int) -> float:
    return float(np.random.default_rng([seed, len(on), *(map(len, sorted(on)))]).normal(0, 0.001))


@pytest.mark.parametrize("design", ["one_at_a_time", "leave_one_out", "factorial"])
def test_effects_that_add_up_are_found_by_every_design(design: Any) -> None:
    worth = {"lower_rate": 0.02, "longer": -0.01, "smooth": 0.0}
    variants = plan_variants(BASE, CHANGES, design)
    trials = simulate(
        variants,
        4,
        lambda on, seed: 0.8 + 0.01 * seed + sum(worth[name] for name in on),
        lambda on, seed: (10 + seed) * 1.1 ** len(on),
    )
    effects = estimate_effects(NAMES, variants, trials, with_pairs=design == "factorial")
    assert [effect.points.mean for effect in effects[:3]] == pytest.approx([2, -1, 0], abs=1e-9)
    assert [effect.time.mean for effect in effects[:3]] == pytest.approx([np.log(1.1)] * 3)
    assert [effect.points.mean for effect in effects[3:]] == pytest.approx([0] * len(effects[3:]), abs=1e-9)
    assert len(effects) == (6 if design == "factorial" else 3)


def test_an_interaction_is_how_much_more_one_does_with_the_other() -> None:
    variants = plan_variants(BASE, CHANGES[:2], "factorial")
    trials = simulate(variants, 3, lambda on, seed: 0.8 + 0.03 * (len(on) == 2), lambda on, seed: 1.0)
    effects = {
        effect.label: effect.points.mean for effect in estimate_effects(NAMES[:2], variants, trials, with_pairs=True)
    }
    assert effects == pytest.approx({"lower_rate": 1.5, "longer": 1.5, "lower_rate x longer": 3.0})


def test_intervals_and_p_are_scipy_s_and_holm_s() -> None:
    variants = plan_variants(BASE, CHANGES, "one_at_a_time")
    trials = simulate(variants, 6, lambda on, seed: 0.9 + noise(on, seed), lambda on, seed: 1.0)
    effects = estimate_effects(NAMES, variants, trials, with_pairs=False)
    points = np.array([[100 * trial.accuracy for trial in row] for row in trials])
    expected = [stats.ttest_rel(points[:, column], points[:, 0]) for column in (1, 2, 3)]
    assert [effect.points.p for effect in effects] == pytest.approx([each.pvalue for each in expected])
    ends = expected[0].confidence_interval(0.95)
    assert (effects[0].points.low, effects[0].points.high) == pytest.approx((ends.low, ends.high))
    smallest = min(effects, key=lambda effect: effect.points.p or 1.0)
    assert smallest.points.p_adjusted == pytest.approx(min(1.0, 3 * (smallest.points.p or 1.0)))
    assert effects[0].time.p is None


def test_each_design_trains_what_it_says() -> None:
    on = {
        design: [(variant.name, set(variant.on)) for variant in plan_variants(BASE, CHANGES[:2], design)]
        for design in ("one_at_a_time", "leave_one_out", "factorial")
    }
    one, two = "lower_rate", "longer"
    assert on["one_at_a_time"] == [("base", set()), (one, {one}), (two, {two})]
    assert on["leave_one_out"] == [("all changes", {one, two}), (f"without {one}", {two}), (f"without {two}", {one})]
    assert [names for _, names in on["factorial"]] == [set(), {one}, {two}, {one, two}]


def test_too_many_changes_for_a_factorial_are_refused() -> None:
    many = [Change(str(count), ((["optim", "lr"], 0.1 + count),)) for count in range(5)]
    with pytest.raises(UsageError, match="32 variants"):
        plan_variants(BASE, many, "factorial")


@pytest.mark.parametrize("design", ["leave_one_out", "factorial"])
def test_changes_that_undo_each_other_are_not_combined(design: Any) -> None:
    both = [Change("low", ((["optim", "lr"], 0.01),)), Change("high", ((["optim", "lr"], 0.3),))]
    with pytest.raises(UsageError, match=r"'low' and 'high' both set optim\.lr"):
        plan_variants(BASE, both, design)
    assert len(plan_variants(BASE, both, "one_at_a_time")) == 3


def test_an_unknown_field_is_named_with_its_change_and_a_near_name() -> None:
    with pytest.raises(ConfigError, match=r"change 'odd'[^$]*optim\.momentumm[^$]*did you mean 'momentum'"):
        plan_variants(BASE, [*CHANGES, Change("odd", ((["optim", "momentumm"], 0.1),))], "one_at_a_time")


def test_a_change_file_takes_overrides_and_mappings(tmp_path: Path) -> None:
    file = tmp_path / "changes.yaml"
    file.write_text("a: [optim.lr=1e-2, model=lenet]\nb: {train.epochs: 2.0, optim: {name: adam}}\n")
    assert load_changes(str(file)) == (
        Change("a", ((["optim", "lr"], 0.01), (["model"], "lenet"))),
        Change("b", ((["train", "epochs"], 2.0), (["optim"], {"name": "adam"}))),
    )


@pytest.mark.parametrize(
    ("text", "said"), [("- 1\n", "map the name"), ("a: [lr]\n", "a: is no change"), ("a: {optim..lr: 1}\n", "a: is no")]
)
def test_a_bad_change_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_changes(str(tmp_path / "bad.yaml"))


def test_unknown_changes_get_a_near_name() -> None:
    with pytest.raises(UsageError, match="did you mean 's1_ablation'"):
        load_changes("s1_ablatoin")


@pytest.mark.parametrize("name", list_changes())
def test_changes_that_come_along_fit_airbench94(name: str) -> None:
    base = load_experiment("airbench94").model_dump(mode="json")
    changes = load_changes(name)
    variants = plan_variants(base, changes, "one_at_a_time")
    assert len({variant.experiment for variant in variants}) == len(changes) + 1


def test_s1_s_learning_rate_is_17_25_published_units() -> None:
    base = load_experiment("airbench94").model_dump(mode="json")
    [long] = [one for one in plan_variants(base, load_changes("s1_ablation"), "one_at_a_time") if len(one.name) > 14]
    scaling = long.experiment.train.lr_scaling
    assert scaling is not None
    rate = long.experiment.optim.lr * scaling.factor(long.experiment.data.batch_size)
    assert rate * 1024 * (1 + 1 / 0.15) == pytest.approx(17.25)


def test_s1_at_a_quarter_keeps_its_proportions() -> None:
    small, whole = (load_experiment(name).model_dump(mode="json") for name in ("s1_small", "airbench94"))
    variants = [
        variant.experiment for variant in plan_variants(small, load_changes("s1_ablation_small"), "one_at_a_time")
    ]
    epochs = [variant.train.epochs for variant in variants]
    assert epochs == [small["train"]["epochs"]] * 3 + [2.0, small["train"]["epochs"], 2.0]
    assert epochs[0] / epochs[-1] == pytest.approx(whole["train"]["epochs"] / 8)
    fields = [variant.model_dump(mode="json") for variant in variants]
    changed = [{key for key in small if field[key] != small[key]} for field in fields]
    assert changed[-1] == set().union(*changed[1:-1]) == {"augment", "model", "train", "data"}
    assert [field["data"]["placement"] for field in fields] == ["streaming"] * 4 + ["resident"] * 2


def test_an_ablation_writes_its_table_and_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pretend(contest: Any, contestant: Any, folder: Path, seed: int, interruption: Any) -> Trial:
        better = 0.02 * ("smooth" in contestant.name) + 0.001 * ((seed * 7 + len(contestant.name)) % 3)
        return Trial(
            contestant.letter,
            seed,
            folder,
            0.9 + better,
            {"train": 1.0 + 0.01 * seed, "cold_start": 2.0},
            False,
            False,
            {},
        )

    monkeypatch.setattr("windtunnel.comparison.trials._run_once", pretend)
    base = load_experiment("quickstart", ["data.split.validation=0.2"]).model_dump(mode="json")
    found = ablate(base, CHANGES, design="factorial", rules=Rules(3, stop_early=False), runs_dir=tmp_path)
    assert [effect.label for effect in found.effects][-1] == "longer x smooth"
    held = json.loads((found.folder / "ablation.json").read_text())
    assert held["effects"][2]["points"]["mean"] == pytest.approx(2, abs=0.2)
    assert held["changes"]["longer"] == {"train.epochs": 7.0}
    assert (found.folder / "ablation.png").read_bytes().startswith(b"\x89PNG")
