import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.config.files import dump_yaml, parse_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.config.sweep import Axis, SweepConfig
from windtunnel.errors import ConfigError

numbers = st.floats(1e-6, 1e6) | st.integers(1, 10**6)


def _sweep(**fields):
    tree = {"name": "tried", "base": "quickstart", "space": {"optim.lr": [0.1, 0.2]}, **fields}
    return validate_tree(SweepConfig, tree, "tried.yaml")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"space": {}}, "the space is empty"),
        ({"space": {"optim.lr": []}}, "space.optim.lr: has no values"),
        ({"space": {"optim.lr": {"min": 1}}}, "space.optim.lr: needs values, or min and max"),
        ({"space": {"optim.lr": {"values": [1], "log": True}}}, "has values and log"),
        ({"space": {"optim.lr": {"min": 2, "max": 1}}}, "min 2 must be below max 1"),
        ({"space": {"optim.lr": {"min": 0, "max": 1, "log": True}}}, "log needs min above 0"),
        ({"space": {"optim.lr": {"min": 0, "max": 1, "step": 2}}}, "step 2 is more than the whole range"),
        ({"space": {"optim.lr": {"min": 0.5, "max": 4, "integer": True}}}, "integer needs whole numbers, not 0.5"),
        ({"space": {"optim.lr": {"valeus": [1]}}}, "space.optim.lr.valeus: is not a known field"),
        ({"space": {"optim.lr": {"min": 0, "max": 1}}}, "a grid needs values or a step for optim.lr"),
        ({"space": {"evaluate.test": [True]}}, "evaluate.test cannot be set in a sweep"),
        ({"space": {"seed": [1, 2]}}, "give `seeds` or `repeats`"),
        ({"fixed": {"optim.lr": 1}}, "optim.lr is both fixed and in the space"),
        ({"space": {"a": {"values": [1], "when": {"b": 2}}}}, "space.a.when: b is not in the space"),
        (
            {"space": {"a": {"values": [1], "when": {"b": 2}}, "b": {"values": [2], "when": {"a": 1}}}},
            "leads back to itself",
        ),
        ({"mode": "min"}, "mode min does not fit val_accuracy"),
        ({"metric": "test_accuracy"}, "metric: must be"),
        ({"seeds": []}, "seeds: "),
        ({"seeds": [1, 1]}, "a seed is given twice"),
        ({"seeds": [1, 2], "repeats": 3}, "give one of the two"),
        ({"repeats": 0}, "repeats: must be greater than or equal to 1"),
        ({"strategy": "baysian"}, "there is no strategy 'baysian'"),
        ({"strategy": {"name": "tpe", "runs": -4}}, "strategy.runs: must be greater than or equal to 1"),
        (
            {"pruning": {"name": "successive_halving", "factor": 1}},
            "pruning.factor: must be greater than or equal to 2",
        ),
        ({"constraints": {"parameters": -5}}, "constraints.parameters: must be"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ConfigError) as raised:
        _sweep(**fields)
    assert said in str(raised.value)


def test_a_bare_list_is_values():
    assert _sweep().space["optim.lr"] == Axis(values=(0.1, 0.2))


def test_seeds_alone_are_a_sweep():
    assert _sweep(space={}, repeats=3).repeats == 3


@pytest.mark.parametrize(("metric", "maximise"), [("val_accuracy", True), ("val_loss", False)])
def test_the_metric_says_what_is_better(metric, maximise):
    assert _sweep(metric=metric).maximise is maximise


ranges = st.tuples(numbers, numbers, st.booleans()).filter(lambda each: each[0] < each[1])
axes = st.lists(numbers | st.booleans() | st.text("ab_"), min_size=1) | ranges.map(
    lambda each: {"min": each[0], "max": each[1], "log": each[2]}
)


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,4}\.[a-z]{1,4}", fullmatch=True), axes, min_size=1, max_size=3),
    st.sampled_from(["random", {"name": "tpe", "runs": 3}]),
    st.sampled_from([None, "median", {"name": "successive_halving", "first": 2}]),
)
def test_a_sweep_survives_yaml(space, strategy, pruning):
    sweep = _sweep(space=space, strategy=strategy, pruning=pruning)
    assert SweepConfig.model_validate(parse_yaml(dump_yaml(sweep), "")) == sweep
