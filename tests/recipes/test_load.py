from pathlib import Path

import pytest

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml, parse_yaml
from windtunnel.errors import ConfigError, UsageError
from windtunnel.recipes import list_recipes, list_sweeps, load_experiment, load_recipe
from windtunnel.recipes.golden import golden_path


@pytest.mark.parametrize("name", list_recipes())
def test_recipe_equals_its_golden_yaml(name: str) -> None:
    assert dump_yaml(load_recipe(name)) == golden_path(name).read_text(encoding="utf-8"), (
        "if the change is meant: python -m windtunnel.recipes.golden"
    )


def test_every_golden_yaml_belongs_to_a_recipe() -> None:
    folder = golden_path("quickstart").parent
    assert {path.name for path in folder.glob("*.yaml")} == {
        golden_path(name).name for name in [*list_recipes(), *list_sweeps()]
    }


@pytest.mark.parametrize("name", list_recipes())
def test_recipe_survives_yaml(name: str) -> None:
    experiment = load_recipe(name)
    assert Experiment.model_validate(parse_yaml(dump_yaml(experiment), name)) == experiment


@pytest.mark.parametrize("name", list_recipes())
def test_recipe_says_what_it_is(name: str) -> None:
    assert len(list_recipes()[name]) > 20


def test_short_name_finds_its_recipe() -> None:
    assert load_recipe("airbench94") == load_recipe("cifar10/airbench94")


def test_unknown_recipe_gets_a_near_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'airbench94'"):
        load_recipe("airbensh94")


def test_a_folder_of_images_is_told_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a folder; name it as `data: \{source: \{name: image_folder"):
        load_recipe(str(tmp_path))


def test_yaml_file_with_a_base_gives_only_what_differs(tmp_path: Path) -> None:
    (tmp_path / "middle.yaml").write_text("base: quickstart\noptim: {lr: 1e-2}\n")
    (tmp_path / "top.yaml").write_text("base: middle.yaml\nmodel: lenet\n")
    experiment = load_experiment(str(tmp_path / "top.yaml"), ["train.epochs=2"])
    assert experiment.optim.lr == 0.01
    assert experiment.model.name == "lenet"
    assert experiment.train.epochs == 2
    assert experiment.data == load_recipe("quickstart").data


@pytest.mark.parametrize(
    ("text", "said"),
    [("base: self.yaml\n", "leads back"), ("- 1\n", "mapping"), ("base: [1]\n", "base: must be")],
)
def test_bad_files_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "self.yaml"
    path.write_text(text)
    with pytest.raises((UsageError, ConfigError), match=said):
        load_experiment(str(path))


def test_published_airbench94_numbers() -> None:
    """Learning rate 11.5 and decay 0.0153 over 1024 (1 + 1/(1 - 0.85)); 476 steps of 1024 images."""
    experiment = load_recipe("airbench94")
    assert experiment.optim.lr == pytest.approx(1.465e-3, rel=1e-3)
    assert experiment.optim.weight_decay * experiment.optim.lr == pytest.approx(0.0153 * 1024 / 7850.7, rel=1e-4)
    assert experiment.optim.groups[0].lr_scale == 64
