"""A sweep as it is run: its config with the base spelled out, and the experiments of its points."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_tree, is_yaml, read_yaml
from windtunnel.config.overrides import apply_overrides, merge, parse_override, set_fields
from windtunnel.config.problems import validate_tree
from windtunnel.config.sweep import SweepConfig
from windtunnel.errors import ConfigError, Problem, UsageError
from windtunnel.recipes.load import is_sweep, lay_over_base, list_sweeps, load_sweep_recipe, read_tree
from windtunnel.registry import suggest
from windtunnel.sweeps.space import Choices
from windtunnel.sweeps.wandb import is_wandb, read_wandb

DEFINITION_FILE = "sweep.yaml"


@dataclass(frozen=True)
class Definition:
    """A sweep with everything it depends on.

    Args:
        config: the sweep; its base is a mapping of fields and its project is set.
        notes: what was read but means nothing here, in words.
    """

    config: SweepConfig
    notes: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of every point's runs, the same for all so that they are paired."""
        if self.config.seeds is not None:
            return self.config.seeds
        first = self.base.get("seed", 0)
        return tuple(first + index for index in range(self.config.repeats))

    @property
    def base(self) -> Mapping[str, Any]:
        """Fields of the experiment every run starts from."""
        assert isinstance(self.config.base, Mapping)
        return self.config.base

    def experiment(self, choices: Choices, *, seed: int, name: str) -> Experiment:
        """Return the experiment of a point with a seed; it never reads the test split.

        Args:
            choices: dotted path -> value.
            seed: the run's seed.
            name: name of the run.

        Raises:
            ConfigError: the point does not validate; carries every problem.
        """
        settings = {**self.config.fixed, **choices, "seed": seed, "evaluate.test": False}
        settings |= {"name": name, "project": self.config.project}
        tree = set_fields(self.base, [(path.split("."), value) for path, value in settings.items()])
        return validate_tree(Experiment, tree, describe_choices(choices) or "base")

    def folder(self, runs_dir: Path) -> Path:
        """Return the sweep's folder: ``<runs_dir>/<project>/<name>``."""
        return runs_dir / str(self.config.project) / self.config.name


def load_definition(reference: str, overrides: Sequence[str] = ()) -> Definition:
    """Return the bundled sweep, YAML file, W&B sweep file or sweep folder ``reference`` with ``overrides`` on top.

    An override of a field of the sweep (``strategy.runs=10``, ``space.optim.lr=[0.1,0.2]``) sets it; any other
    (``train.epochs=2``) is fixed in every run.

    Raises:
        UsageError: there is no such sweep.
        ConfigError: it does not validate; carries every problem.
    """
    tree, file, notes = _read(reference)
    tree = _override(tree, overrides)
    if "base" not in tree:
        raise ConfigError(reference, [Problem("base", "is required: name a recipe or YAML file, e.g. base=quickstart")])
    source = reference if not overrides else f"{reference} with {' '.join(overrides)}"
    return build_definition(validate_tree(SweepConfig, tree, source), file=file, notes=notes)


def is_sweep_reference(reference: str) -> bool:
    """Say whether ``reference`` names a sweep, or a YAML file or folder that holds one, rather than an experiment."""
    path = Path(reference)
    if not path.is_dir() and not is_yaml(reference):
        return is_sweep(reference)
    if path.is_dir():
        return (path / DEFINITION_FILE).is_file()
    tree = read_yaml(path)
    return isinstance(tree, dict) and ("space" in tree or is_wandb(tree))


def build_definition(config: SweepConfig, *, file: Path = Path("sweep"), notes: Sequence[str] = ()) -> Definition:
    """Return ``config`` with its base spelled out and its project set.

    Args:
        config: the sweep.
        file: where it comes from; a base that is a path starts in its folder.
        notes: see :class:`Definition`.
    """
    tree = {"base": config.base} if isinstance(config.base, str) else config.base
    base = lay_over_base(tree, file)
    project = config.project or base.get("project", "default")
    return Definition(config.model_copy(update={"base": base, "project": project}), tuple(notes))


def dump_definition(definition: Definition) -> str:
    """Return the sweep as the YAML that reads back to it."""
    return dump_tree(definition.config.model_dump(mode="json"))


def describe_difference(old: Definition, new: Definition) -> list[str]:
    """Return where two sweeps differ, one line a field, empty when nowhere."""
    before, after = (flatten(each.config.model_dump(mode="json")) for each in (old, new))
    paths = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    return [f"{path}: {_show(before, path)} there, {_show(after, path)} here" for path in paths]


def describe_choices(choices: Choices) -> str:
    """Return a point in one line.

    >>> describe_choices({"optim": {"name": "sgd", "momentum": 0.9}, "optim.lr": 0.1})
    'optim={name: sgd, momentum: 0.9} optim.lr=0.1'
    """
    return " ".join(f"{path}={describe_value(value)}" for path, value in choices.items())


def describe_value(value: Any) -> str:
    """Return a setting's value as YAML in one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {describe_value(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def run_id(number: int, choices: Choices, seed: int) -> str:
    """Return the id of a point's run: its number, a hash of its settings, its seed.

    >>> run_id(3, {"optim.lr": 0.1}, 0)
    '0003-990752-s0'
    """
    text = json.dumps([choices, seed], sort_keys=True, ensure_ascii=False)
    return f"{number:04d}-{hashlib.blake2b(text.encode(), digest_size=3).hexdigest()}-s{seed}"


def _read(reference: str) -> tuple[dict[str, Any], Path, tuple[str, ...]]:
    path = Path(reference)
    if path.is_dir():
        path = path / DEFINITION_FILE
        if not path.is_file():
            raise UsageError(f"{reference} is not a sweep's folder: it has no {DEFINITION_FILE}")
    elif not is_yaml(reference):
        return _read_bundled(reference), path, ()
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError(reference, [Problem("", "must be a mapping of fields, see `windtunnel show s2_sweep`")])
    if is_wandb(tree):
        tree, notes = read_wandb(tree, reference)
        return {"name": path.stem, **tree}, path, notes
    return {"name": path.stem, **tree}, path, ()


def _read_bundled(name: str) -> dict[str, Any]:
    if is_sweep(name):
        return load_sweep_recipe(name).model_dump(mode="json")
    near = suggest(name, [full.rpartition("/")[2] for full in list_sweeps()])
    if not near:
        read_tree(name)  # names near recipes when it is none of those either
        raise UsageError(f"{name!r} is one experiment, not a sweep; write a sweep file with `base: {name}`")
    return load_sweep_recipe(name).model_dump(mode="json")


def _override(tree: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    default = SweepConfig.model_fields["strategy"].default.model_dump(mode="json")
    result = {"strategy": default, **tree}  # so that strategy.runs=10 has something to be set in
    for text in overrides:
        path, value = parse_override(text)
        if path[0] == "space" and len(path) > 1:
            result["space"] = _set_axis(result.get("space", {}), ".".join(path[1:]), value)
        elif path[0] in SweepConfig.model_fields:
            result = _set_field(result, text, path, value)
        else:
            result["fixed"] = {**result.get("fixed", {}), ".".join(path): value}
    return result


def _set_axis(space: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    return {name: axis for name, axis in {**space, path: value}.items() if axis is not None}


def _set_field(tree: dict[str, Any], text: str, path: list[str], value: Any) -> dict[str, Any]:
    if path[0] == "base" and len(path) > 1 and isinstance(tree.get("base"), str):
        nested: Any = value
        for part in reversed(path[1:]):
            nested = {part: nested}
        return {**tree, "base": merge({"base": tree["base"]}, nested)}
    return apply_overrides(tree, [text])


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """Return nested fields as dotted path -> value."""
    if not isinstance(tree, Mapping) or not tree:
        return {path: tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{path}.{key}" if path else key)
    return flat


def _show(tree: Mapping[str, Any], path: str) -> str:
    return describe_value(tree[path]) if path in tree else "nothing"
