import pytest

from windtunnel.config.sweep import SweepConfig
from windtunnel.sweeps.definition import build_definition
from windtunnel.sweeps.importance import compute_importance
from windtunnel.sweeps.results import PointResult, Results, RunRow, compare_with, rank_points
from windtunnel.sweeps.space import list_grid


def _run(number, seed, value, status="finished"):
    return RunRow(f"{number:04d}-s{seed}", seed, status, "", value, 1, 1.0, None)


def _results(space, value_of, **fields):
    tree = {"name": "tried", "base": "quickstart", "space": space, **fields}
    definition = build_definition(SweepConfig.model_validate(tree))
    points = [
        PointResult(number, choices, (_run(number, 0, value_of(choices)),))
        for number, choices in enumerate(list_grid(definition.config.space))
    ]
    return Results(definition, tuple(points))


SPACE = {"optim.lr": [0.1, 0.2, 0.3, 0.4], "augment": ["none", "crop_flip"], "data.batch_size": [32, 64, 128]}


def test_points_are_ranked_by_the_mean_over_their_seeds():
    good, mixed = (_run(0, 0, 0.8), _run(0, 1, 0.9)), (_run(1, 0, 0.99), _run(1, 1, 0.5))
    failed = (_run(2, 0, None, "failed"), _run(2, 1, 0.99, "diverged"))
    points = tuple(PointResult(number, {}, runs) for number, runs in enumerate((failed, mixed, good)))
    results = _results(SPACE, lambda choices: 0.5)
    ranked = rank_points(Results(results.definition, points))
    assert [point.number for point in ranked] == [2, 1, 0]
    assert ranked[0].mean == pytest.approx(0.85)
    assert ranked[0].deviation == pytest.approx(0.05 * 2**0.5)
    assert (ranked[2].mean, ranked[2].deviation) == (None, None)


@pytest.mark.parametrize(("ending", "first"), [("diverged", 1), ("pruned", 1), ("failed", 0), ("cancelled", 0)])
def test_a_point_that_lost_a_seed_for_doing_badly_does_not_win_by_those_left(ending, first):
    points = (
        PointResult(0, {}, (_run(0, 0, 0.9), _run(0, 1, None, ending))),
        PointResult(1, {}, (_run(1, 0, 0.8), _run(1, 1, 0.8))),
    )
    results = _results(SPACE, lambda choices: 0.5)
    assert rank_points(Results(results.definition, points))[0].number == first


def test_smaller_is_better_for_a_loss():
    results = _results(SPACE, lambda choices: choices["optim.lr"], metric="val_loss")
    assert rank_points(results)[0].choices["optim.lr"] == 0.1


def test_points_are_compared_seed_by_seed():
    best = PointResult(0, {}, (_run(0, 0, 0.9), _run(0, 1, 0.7), _run(0, 2, 0.8)))
    other = PointResult(1, {}, (_run(1, 0, 0.8), _run(1, 1, 0.6), _run(1, 2, None, "failed")))
    difference = compare_with(best, other)
    assert (difference.mean, difference.seeds) == (pytest.approx(-0.1), 2)
    assert difference.deviation == pytest.approx(0.0, abs=1e-12)
    assert compare_with(best, PointResult(2, {}, (_run(2, 0, None, "failed"),))) is None


def test_the_setting_that_matters_has_the_largest_share():
    importance = compute_importance(_results(SPACE, lambda choices: choices["optim.lr"] ** 2))
    assert next(iter(importance.shares)) == "optim.lr"
    assert importance.shares["optim.lr"] > 0.9
    assert importance.explained > 0.8
    assert sum(importance.shares.values()) == pytest.approx(1)


def test_names_and_interactions_count():
    importance = compute_importance(
        _results(SPACE, lambda choices: (choices["optim.lr"] > 0.2) * (choices["augment"] == "none"))
    )
    assert min(importance.shares["optim.lr"], importance.shares["augment"]) > 0.25
    assert importance.shares["data.batch_size"] < 0.1


def test_where_nothing_matters_nothing_is_explained():
    values = iter([0.50, 0.51, 0.49, 0.52, 0.48, 0.50, 0.47, 0.53] * 3)
    importance = compute_importance(_results(SPACE, lambda choices: next(values)))
    assert importance.explained < 0.2


def test_a_setting_that_is_off_at_times_is_no_problem():
    space = {
        "optim": ["sgd", "adam"],
        "optim.momentum": {"values": [0.5, 0.9], "when": {"optim": "sgd"}},
        "optim.lr": {"min": 0.1, "max": 0.4, "step": 0.1},
    }
    importance = compute_importance(_results(space, lambda choices: choices["optim"] == "sgd"))
    assert next(iter(importance.shares)) == "optim"


@pytest.mark.parametrize("space", [{"optim.lr": [0.1, 0.2, 0.3, 0.4]}, {"optim.lr": [0.1], "augment": ["none"]}])
def test_too_little_says_nothing(space):
    assert compute_importance(_results(space, lambda choices: 0.5)) is None
