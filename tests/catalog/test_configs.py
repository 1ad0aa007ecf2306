import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.catalog.configs import ConfigReader, count_values, list_differences
from windtunnel.config.files import dump_yaml, parse_yaml
from windtunnel.recipes.load import list_recipes, load_recipe
from windtunnel.sweeps.definition import flatten


@pytest.mark.parametrize("name", list_recipes())
def test_reading_block_by_block_gives_what_reading_at_once_does(name):
    text = dump_yaml(load_recipe(name))
    read = ConfigReader().read(text)
    whole = {path: value for path, value in flatten(parse_yaml(text, name)).items() if path != "name"}
    assert read.keys() == whole.keys()
    assert all(read[path] == value for path, value in whole.items() if not isinstance(value, list | dict))


def test_one_value_that_differs_is_seen():
    reader = ConfigReader()
    a, b = (reader.read(dump_yaml(load_recipe("quickstart").model_copy(update={"seed": seed}))) for seed in (0, 1))
    assert list_differences(a, b) == [("seed", 0, 1)]
    assert count_values([a, b])[0] == ("seed", 2)


def test_lists_are_told_as_text():
    assert ConfigReader().read("model:\n  widths: [32, 64]\n") == {"model.widths": "[32, 64]"}


@given(st.text(max_size=80))
def test_anything_else_is_read_as_far_as_it_goes(text):
    assert isinstance(ConfigReader().read(text), dict)
