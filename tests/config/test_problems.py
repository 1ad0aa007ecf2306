import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.config.data import OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.optim import Sgd
from windtunnel.config.problems import validate_tree
from windtunnel.errors import ConfigError
from windtunnel.recipes import load_recipe

GOOD: dict[str, Any] = {"name": "run", "data": {"source": "digits"}, "model": "lenet"}


def problems_of(**fields: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        validate_tree(Experiment, {**GOOD, **fields}, "test.yaml")
    return {problem.path: str(problem) for problem in caught.value.problems}


def test_every_problem_is_reported_at_once() -> None:
    found = problems_of(name="a/b", seed=-1, optim={"name": "sgd", "lr": 0}, train={"epochs": "ten"})
    assert set(found) == {"name", "seed", "optim.lr", "train.epochs"}


@pytest.mark.parametrize(
    ("fields", "path", "hint"),
    [
        ({"optm": "sgd"}, "optm", "optim"),
        ({"optim": {"name": "sgd", "momentumm": 0.9}}, "optim.momentumm", "momentum"),
        ({"data": {"source": "digits", "batchsize": 8}}, "data.batchsize", "batch_size"),
        ({"model": {"name": "airbench94", "width": [1, 2, 3]}}, "model.width", "widths"),
        ({"augment": [{"name": "random_crop", "pading": 1}]}, "augment.0.pading", "padding"),
        ({"optim": {"name": "sgd", "groups": [{"match": "*", "lrscale": 1}]}}, "optim.groups.0.lrscale", "lr_scale"),
        ({"runtime": {"precision": "float61"}}, "runtime.precision", "float16"),
        ({"model": "lennet"}, "model", "lenet"),
        ({"schedule": {"name": "cosin"}}, "schedule", "cosine"),
        ({"augment": "airbnch"}, "augment", "airbench"),
        ({"data": {"source": {"name": "cifar1"}}}, "data.source", "cifar10"),
    ],
)
def test_near_misses_get_a_suggestion(fields: dict[str, Any], path: str, hint: str) -> None:
    assert f"did you mean '{hint}'?" in problems_of(**fields)[path]


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"lr": 0.1}, "optim.lr"),
        ({"max_epochs": 3}, "train.epochs"),
        ({"batch_size": 3}, "data.batch_size"),
        ({"train": {"device": "cpu"}}, "runtime.device"),
        ({"qqqq": 3}, ""),
    ],
)
def test_a_field_of_another_section_is_named(fields: dict[str, Any], hint: str) -> None:
    tree = {**load_recipe("quickstart").model_dump(mode="json"), **fields}
    with pytest.raises(ConfigError) as caught:
        validate_tree(Experiment, tree, "test")
    assert [problem.hint for problem in caught.value.problems] == [hint]


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({"data": {"source": "digits", "batch_size": "64"}}, "data.batch_size", "valid integer (got '64')"),
        ({"data": {"source": "digits", "batch_size": True}}, "data.batch_size", "valid integer (got True)"),
        ({"data": {"source": "digits", "batch_size": 0}}, "data.batch_size", "greater than or equal to 1 (got 0)"),
        ({"optim": {"name": "sgd", "lr": math.nan}}, "optim.lr", "finite number"),
        ({"optim": {"name": "sgd", "lr": math.inf}}, "optim.lr", "finite number"),
        ({"optim": {"name": "sgd", "lr": -0.1}}, "optim.lr", "greater than 0 (got -0.1)"),
        ({"optim": {"name": "sgd", "momentum": 0.0}}, "optim", "nesterov needs momentum"),
        ({"model": {"widths": [8]}}, "model", "needs a 'name'"),
        ({"averaging": {"decay": 0.9}}, "averaging", "needs a 'name'"),
        ({"optim": {"lr": None}}, "optim.lr", "valid number (got null)"),
        (
            {"project": 2026},
            "project",
            """must be text; give it as "2026", with the quotes, on a command line as '"2026"'""",
        ),
        ({"data": "cifar10"}, "data", "must be a mapping of fields: source, split, batch_size"),
        ({"optim": 3}, "optim", "a name or a mapping"),
        ({"schedule": {"name": "piecewise_linear", "points": [[0.5, 1], [0.5, 2]]}}, "schedule", "rising"),
        ({"data": {"source": "digits", "normalize": {"mean": [0, 0], "std": [1]}}}, "data.normalize", "2 channels"),
        ({"data": {"source": "digits", "split": {"name": "fractions", "train": 0.9}}}, "data.split", "at most 1"),
        ({"data": {}}, "data.source", "is required"),
        ({"train": {"early_stopping": {}}}, "", "validation part"),
        ({"augment": ["mixup"], "data": {"source": "digits", "batch_size": 1}}, "", "batch_size above 1"),
        ({"schedule": "plateau"}, "", "schedule plateau needs a validation part"),
        ({"schedule": {"name": "multi_step", "milestones": [3, 2]}}, "schedule", "must rise"),
        ({"schedule": {"name": "cosine", "restart_factor": 2}}, "schedule", "needs t_max"),
        ({"model": {"name": "no_such_module_here:Net"}}, "model", "cannot import"),
        ({"model": {"name": "json:Nett"}}, "model", "json has no 'Nett'"),
        ({"model": {"name": "missing.py:Net"}}, "model", "no file missing.py"),
        ({"optim": {"name": "json:JSONDecoder"}}, "optim", "not a windtunnel Component"),
    ],
)
def test_bad_values_say_what_is_allowed(fields: dict[str, Any], path: str, said: str) -> None:
    assert said in problems_of(**fields)[path]


@pytest.mark.parametrize(
    ("value", "said"), [(5e6, None), (5e-1, "integer"), (math.inf, "integer"), (-1e3, "equal to 1")]
)
def test_whole_numbers_may_be_written_as_powers_of_ten(value: float, said: str | None) -> None:
    if said is not None:
        assert said in problems_of(budget={"parameters": value})["budget.parameters"]
        return
    experiment = validate_tree(Experiment, {**GOOD, "budget": {"parameters": value}}, "test")
    assert experiment.budget is not None
    assert (experiment.budget.parameters, type(experiment.budget.parameters)) == (5_000_000, int)


def test_fields_of_a_component_without_a_name_are_those_of_its_default() -> None:
    given = {"optim": {"lr": 0.05}, "data": {"source": "digits", "split": {"validation": 0.2}}}
    experiment = validate_tree(Experiment, {**GOOD, **given}, "test")
    assert experiment.optim == Sgd(lr=0.05)
    assert experiment.data.split == OfficialSplit(validation=0.2)
    said = problems_of(optim={"momentumm": 0.9})["optim.momentumm"]
    assert "did you mean 'momentum'?" in said


def test_a_set_that_may_bring_its_own_validation_part_may_be_watched() -> None:
    source = {"name": "image_folder", "path": "pets"}
    watched = {**GOOD, "data": {"source": source}, "train": {"early_stopping": {}}}
    assert validate_tree(Experiment, watched, "test").watchers == ("train.early_stopping",)
    fractions = {"source": source, "split": {"name": "fractions", "validation": 0, "train": 0.9}}
    assert "needs a validation part" in problems_of(data=fractions, train={"early_stopping": {}})[""]
    assert (
        "needs a validation part"
        in problems_of(data={"source": source}, train={"target": {"value": 0.9}, "validate_every": 0})[""]
    )


def test_presets_expand_under_the_users_fields() -> None:
    experiment = validate_tree(Experiment, {**GOOD, "model": {"name": "airbench95", "logit_scale": 0.5}}, "test")
    assert experiment.model.model_dump()["widths"] == (128, 384, 384)
    assert experiment.model.model_dump()["logit_scale"] == 0.5


def test_users_own_component_is_found_by_its_import_path(tmp_path: Any) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "from typing import ClassVar\n"
        "from windtunnel.config.base import Component, Count\n"
        "class Warm(Component):\n"
        "    target: ClassVar[str] = 'builtins:dict'\n"
        "    name: str\n"
        "    steps: Count = 3\n"
    )
    name = f"{source}:Warm"
    experiment = validate_tree(Experiment, {**GOOD, "schedule": {"name": name, "steps": 5}}, "test")
    assert experiment.schedule.build() == {"steps": 5}
    assert experiment.model_dump(mode="json")["schedule"] == {"name": name, "steps": 5}
    assert problems_of(schedule={"name": name, "steps": 0}).keys() == {"schedule.steps"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


@given(section=st.sampled_from(sorted(Experiment.model_fields)), value=json_values)
def test_any_value_in_any_field_validates_or_names_it(section: str, value: Any) -> None:
    try:
        validate_tree(Experiment, {**GOOD, section: value}, "fuzz")
    except ConfigError as error:
        assert all(problem.path.split(".")[0] == section for problem in error.problems)


@given(value=json_values)
def test_any_document_validates_or_reports_problems(value: Any) -> None:
    with pytest.raises(ConfigError):
        validate_tree(Experiment, value, "fuzz")
