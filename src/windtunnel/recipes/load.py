"""Finding experiments: bundled recipes by name, YAML files by path, overrides on top of either."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import read_yaml
from windtunnel.config.overrides import apply_overrides, merge
from windtunnel.config.problems import validate_tree
from windtunnel.errors import ConfigError, Problem, UsageError
from windtunnel.recipes.airbench import airbench93, airbench94, airbench95, airbench96
from windtunnel.recipes.classic import cifar10_cnn, mnist_lenet, slim_resnet
from windtunnel.recipes.quickstart import quickstart
from windtunnel.registry import suggest

_RECIPES: Mapping[str, Callable[[], Experiment]] = {
    "quickstart": quickstart,
    "mnist/lenet": mnist_lenet,
    "cifar10/cnn": cifar10_cnn,
    "cifar10/slim_resnet": slim_resnet,
    "cifar10/airbench93": airbench93,
    "cifar10/airbench94": airbench94,
    "cifar10/airbench95": airbench95,
    "cifar10/airbench96": airbench96,
}


def list_recipes() -> dict[str, str]:
    """Return every recipe's name and what it is, in one line."""
    return {name: (build.__doc__ or "").splitlines()[0] for name, build in _RECIPES.items()}


def load_recipe(name: str) -> Experiment:
    """Return the recipe called ``name``; the part after the slash is enough where only one has it.

    >>> load_recipe("airbench94").name
    'airbench94'

    Raises:
        UsageError: there is no such recipe, or several.
    """
    if name in _RECIPES:
        return _RECIPES[name]()
    short = [full for full in _RECIPES if full.rpartition("/")[2] == name]
    if len(short) == 1:
        return _RECIPES[short[0]]()
    if short:
        raise UsageError(f"{name!r} may be {' or '.join(short)}; give the whole name")
    near = suggest(name, [*_RECIPES, *(full.rpartition("/")[2] for full in _RECIPES)])
    hint = f"; did you mean {near!r}?" if near else ";"
    raise UsageError(f"there is no recipe {name!r}{hint} known: {', '.join(_RECIPES)}, or the path of a .yaml file")


def load_experiment(reference: str, overrides: Sequence[str] = ()) -> Experiment:
    """Return the recipe or YAML file ``reference`` with ``overrides`` on top.

    A YAML file may name another recipe or file as its ``base`` and give only what differs.

    Raises:
        UsageError: there is no such recipe or file.
        ConfigError: the result does not validate; carries every problem.
    """
    tree = _read_tree(reference, seen=())
    source = reference if not overrides else f"{reference} with {' '.join(overrides)}"
    return validate_tree(Experiment, apply_overrides(tree, overrides), source)


def _read_tree(reference: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if not reference.endswith((".yaml", ".yml")):
        return load_recipe(reference).model_dump(mode="json")
    path = Path(reference)
    if str(path.resolve()) in seen:
        raise UsageError(f"{reference}: base leads back to this file")
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError(reference, [Problem("", "must be a mapping of fields, see `windtunnel show quickstart`")])
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise ConfigError(reference, [Problem("base", "must be the name of a recipe or the path of a .yaml file")])
    if base.endswith((".yaml", ".yml")):
        base = str(path.parent / base)
    return merge(_read_tree(base, (*seen, str(path.resolve()))), tree)
