import pytest

from windtunnel.errors import ConfigError, UsageError
from windtunnel.sweeps import check, optuna_study
from windtunnel.sweeps.check import check_points
from windtunnel.sweeps.run import check_sweep


def _problems(definition):
    with pytest.raises(ConfigError) as raised:
        check_points(definition)
    return [str(problem) for problem in raised.value.problems]


def test_one_bad_corner_of_a_grid_is_found_and_named(define):
    space = {"optim": ["sgd", "adam"], "optim.lr": [0.1, -1], "data.batch_size": [32, 64]}
    assert _problems(define(space=space)) == [
        "optim.lr: must be greater than 0 [4 of 8 points: optim=sgd optim.lr=-1; optim=adam optim.lr=-1] (got -1)"
    ]


def test_every_problem_is_told_at_once(define):
    space = {"optim.lr": [-1], "train.epochs": [0], "modell": ["lenet"]}
    found = {line.split(":")[0] for line in _problems(define(space=space))}
    assert found == {"modell", "optim.lr", "train.epochs"}


def test_the_ends_of_ranges_are_checked(define):
    space = {"optim.momentum": {"min": 0.5, "max": 1.5}}
    problems = _problems(define(space=space, strategy={"name": "random", "runs": 1}))
    assert problems == ["optim.momentum: must be less than 1 [1 of 2 points: optim.momentum=1.5] (got 1.5)"]


def test_ends_are_checked_in_a_space_with_more_corners_than_can_be_listed(define, monkeypatch):
    monkeypatch.setattr(check, "_MOST_CORNERS", 32)
    space = {f"model.widths.{index}": {"min": 8, "max": 16, "integer": True} for index in range(4)}
    space |= {name: {"min": 0.1, "max": 0.2} for name in ("optim.lr", "optim.momentum", "optim.weight_decay")}
    space |= {"loss.label_smoothing": {"min": 0, "max": 0.1}, "train.epochs": {"min": 1, "max": 2}}
    space |= {"data.batch_size": list(range(8, 80)), "data.split.validation": {"min": 0.1, "max": 1.5}}
    assert [line.split(":")[0] for line in _problems(define(space=space, strategy="random"))] == [
        "data.split.validation"
    ]


def test_a_setting_that_is_off_is_not_checked(define):
    space = {
        "optim": ["sgd", "adam"],
        "optim.nesterov": {"values": [True, False], "when": {"optim": "sgd"}},
    }
    check_points(define(space=space))


@pytest.mark.parametrize(
    ("fixed", "missing"),
    [({"data.split.validation": 0}, "data.split.validation"), ({"train.validate_every": 0}, "train.validate_every")],
)
def test_a_metric_that_is_never_reported_is_found_before_the_start(define, fixed, missing):
    assert _problems(define(fixed=fixed)) == [f"metric: val_accuracy is never reported: set {missing} above 0"]
    check_points(define(fixed=fixed, metric="train_loss"))


def test_a_point_without_a_validation_part_is_named(define):
    problems = _problems(define(space={"data.split.validation": [0, 0.1]}))
    assert "[1 of 2 points: data.split.validation=0]" in problems[0]


def test_a_grid_too_large_to_be_meant_is_refused(define):
    space = {f"optim.{name}": {"min": 0, "max": 1, "step": 0.001} for name in ("lr", "momentum", "weight_decay")}
    assert "up to 1,003,003,001 points" in _problems(define(space=space))[0]


@pytest.mark.parametrize("fields", [{"strategy": "tpe"}, {"pruning": "median"}])
def test_without_optuna_it_is_said_how_to_get_it(define, monkeypatch, fields):
    monkeypatch.setattr(optuna_study, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'windtunnel\[optuna\]'"):
        check_sweep(define(**fields))
    check_sweep(define(strategy="random"))
