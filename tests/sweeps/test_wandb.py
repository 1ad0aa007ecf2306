import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.config.files import dump_tree, parse_yaml
from windtunnel.config.sweep import SweepConfig
from windtunnel.errors import ConfigError
from windtunnel.sweeps.check import check_points
from windtunnel.sweeps.definition import load_definition
from windtunnel.sweeps.wandb import is_wandb, read_wandb

FILE = """
program: train.py
method: bayes
name: my first sweep
base: quickstart
metric: {name: val_accuracy, goal: maximize}
run_cap: 12
early_terminate: {type: hyperband, min_iter: 2, eta: 4}
parameters:
  optim:
    parameters:
      lr: {distribution: log_uniform_values, min: 1e-3, max: 1}
      momentum: {min: 0.5, max: 0.9}
  data.batch_size: {distribution: q_log_uniform_values, q: 8, min: 32, max: 256}
  train.epochs: {value: 2}
  augment: {values: [none, crop_flip]}
command: ["${env}", python, "${program}"]
"""


def _read(tree):
    return read_wandb(tree, "file.yaml")[0]


def _tree(**fields):
    return {"method": "grid", "parameters": {"optim.lr": {"values": [0.1]}}, **fields}


def test_a_file_as_wandb_documents_it(tmp_path):
    path = tmp_path / "bayes.yaml"
    path.write_text(FILE)
    definition = load_definition(str(path))
    config = definition.config
    check_points(definition)
    assert (config.name, config.strategy.name, config.strategy.runs) == ("my-first-sweep", "tpe", 12)
    assert (config.pruning.name, config.pruning.first, config.pruning.factor) == ("successive_halving", 2, 4)
    assert list(config.space) == ["optim.lr", "optim.momentum", "data.batch_size", "train.epochs", "augment"]
    assert config.space["optim.lr"].model_dump() == {"min": 1e-3, "max": 1.0, "log": True}
    assert config.space["data.batch_size"].model_dump() == {
        "min": 32.0,
        "max": 256.0,
        "log": True,
        "integer": True,
        "step": 8.0,
    }
    assert definition.notes == (
        "program is W&B's and means nothing here",
        "command is W&B's and means nothing here",
    )


numbers = st.floats(-1e3, 1e3) | st.integers(-1000, 1000)
ends = st.tuples(numbers, numbers).filter(lambda pair: pair[0] < pair[1])
parameters = (
    st.builds(lambda value: {"value": value}, numbers | st.text("abc"))
    | st.builds(lambda values: {"values": values}, st.lists(numbers | st.text("abc"), min_size=1, max_size=3))
    | st.builds(lambda pair: {"min": pair[0], "max": pair[1]}, ends)
    | st.builds(lambda pair: {"distribution": "uniform", "min": pair[0], "max": pair[1]}, ends)
)


@given(st.dictionaries(st.sampled_from(["optim.lr", "seed", "a.b"]), parameters, min_size=1))
def test_every_parameter_becomes_one_axis_that_survives_yaml(named):
    space = _read({"method": "random", "run_cap": 3, "parameters": named})["space"]
    assert set(space) == set(named)
    tree = {
        "name": "x",
        "base": "y",
        "strategy": "random",
        "space": {f"at.{path}": axis for path, axis in space.items()},
    }
    config = SweepConfig.model_validate(tree)
    assert SweepConfig.model_validate(parse_yaml(dump_tree(config.model_dump(mode="json")), "")) == config


@given(
    st.recursive(
        st.none() | numbers | st.text("ab"),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["min", "max", "q", "values", "value", "distribution", "parameters", "x"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    )
)
def test_whatever_stands_for_a_parameter_is_read_or_refused(parameter):
    try:
        space = _read({"method": "grid", "parameters": {"optim.lr": parameter}})["space"]
    except ConfigError as error:
        assert all(problem.path.startswith("parameters.optim.lr") for problem in error.problems)
    else:
        assert all(path.startswith("optim.lr") for path in space)


@pytest.mark.parametrize(
    ("parameter", "axis"),
    [
        ({"min": 1, "max": 5}, {"min": 1, "max": 5, "integer": True}),
        ({"min": 1, "max": 5.5}, {"min": 1, "max": 5.5}),
        ({"min": 3, "max": 3}, [3]),
        ({"distribution": "log_uniform", "min": -2, "max": 0}, {"min": math.exp(-2), "max": 1.0, "log": True}),
        ({"distribution": "q_uniform", "min": 0, "max": 2, "q": 0.5}, {"min": 0, "max": 2, "step": 0.5}),
        ({"distribution": "q_uniform", "min": 0, "max": 8}, {"min": 0, "max": 8, "step": 1, "integer": True}),
        ({"distribution": "constant", "value": "x"}, ["x"]),
    ],
)
def test_distributions(parameter, axis):
    assert _read(_tree(parameters={"optim.lr": parameter}))["space"] == {"optim.lr": axis}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"method": "baysian"}, "method: must be one of grid, random, bayes (got 'baysian'); did you mean 'bayes'?"),
        ({"method": "random"}, "run_cap: is required"),
        ({"parameters": {}}, "parameters: must map names"),
        ({"parameters": {"lr": {"distribution": "beta"}}}, "parameters.lr.distribution: must be one of constant"),
        ({"parameters": {"lr": {"min": 1}}}, "parameters.lr: uniform needs max"),
        ({"parameters": {"lr": {"min": "a", "max": 2}}}, "parameters.lr.min: must be a number (got 'a')"),
        ({"parameters": {"lr": {"valeus": [1]}}}, "did you mean 'values'?"),
        ({"metric": {"name": "val_loss", "goal": "maximise"}}, "did you mean 'maximize'?"),
        ({"early_terminate": {"type": "envelope"}}, "early_terminate.type: must be hyperband"),
        ({"early_terminate": {"type": "hyperband", "eta": -3}}, "early_terminate.eta: must be a whole number"),
        ({"paramters": {}}, "paramters: is not a known field"),
    ],
)
def test_what_has_no_meaning_is_refused(fields, said):
    with pytest.raises(ConfigError) as raised:
        _read(_tree(**fields))
    assert said in str(raised.value)


def test_a_maximum_of_iterations_and_brackets_say_where_the_first_rung_lies():
    rule = {"type": "hyperband", "max_iter": 27, "s": 2, "eta": 3, "strict": True}
    assert _read(_tree(early_terminate=rule))["pruning"] == {"name": "successive_halving", "first": 3, "factor": 3}


def test_names_that_are_no_dotted_paths_get_near_ones(tmp_path):
    path = tmp_path / "sweep.yaml"
    parameters = {"learning_rate": {"values": [0.1]}, "batch_size": {"values": [32]}, "optim.lrr": {"value": 1}}
    path.write_text(dump_tree({"method": "grid", "base": "quickstart", "parameters": parameters}))
    with pytest.raises(ConfigError) as raised:
        check_points(load_definition(str(path)))
    assert {problem.path: problem.hint for problem in raised.value.problems} == {
        "learning_rate": "optim.lr",
        "batch_size": "data.batch_size",
        "optim.lrr": "lr",
    }


def test_a_file_without_a_base_says_how_to_give_one(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(dump_tree(_tree()))
    with pytest.raises(ConfigError, match="base: is required"):
        load_definition(str(path))
    assert load_definition(str(path), ["base=quickstart"]).config.name == "sweep"


def test_our_own_files_are_told_apart():
    assert is_wandb(_tree())
    assert not is_wandb({"space": {}, "base": "quickstart"})
