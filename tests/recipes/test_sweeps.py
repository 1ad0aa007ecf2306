import pytest

from windtunnel.config.files import dump_yaml, parse_yaml
from windtunnel.config.sweep import SweepConfig
from windtunnel.errors import UsageError
from windtunnel.recipes import list_sweeps, load_recipe, load_sweep_recipe
from windtunnel.recipes.golden import golden_path


@pytest.mark.parametrize("name", list_sweeps())
def test_sweep_equals_its_golden_yaml(name: str) -> None:
    assert dump_yaml(load_sweep_recipe(name)) == golden_path(name).read_text(encoding="utf-8"), (
        "if the change is meant: python -m windtunnel.recipes.golden"
    )


@pytest.mark.parametrize("name", list_sweeps())
def test_sweep_survives_yaml(name: str) -> None:
    sweep = load_sweep_recipe(name)
    assert SweepConfig.model_validate(parse_yaml(dump_yaml(sweep), name)) == sweep


def test_a_sweep_is_no_recipe_to_train() -> None:
    with pytest.raises(UsageError, match="windtunnel sweep s2_sweep"):
        load_recipe("s2_sweep")


def test_unknown_sweep_gets_a_near_name() -> None:
    with pytest.raises(UsageError, match="did you mean 's2_sweep'"):
        load_sweep_recipe("s2_swep")
