"""Finding experiments: bundled recipes by name, YAML files by path, overrides on top of either."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import is_yaml, read_yaml
from windtunnel.config.overrides import apply_overrides, merge
from windtunnel.config.problems import validate_tree
from windtunnel.config.sweep import SweepConfig
from windtunnel.errors import ConfigError, Problem, UsageError
from windtunnel.recipes.airbench import airbench93, airbench94, airbench95, airbench96, s1_small
from windtunnel.recipes.airbench_muon import airbench94_muon, airbench94_muon_resized
from windtunnel.recipes.better import s1_better, s3_better, s4_better
from windtunnel.recipes.better_s0_s2 import s0_better, s2_better
from windtunnel.recipes.classic import cifar10_cnn, mnist_lenet, slim_resnet
from windtunnel.recipes.fast import cifar100_fast75, fast90, fast94, fast95, fast96, mnist_fast99
from windtunnel.recipes.quickstart import quickstart
from windtunnel.recipes.s0 import s0, s0_sweep
from windtunnel.recipes.s2 import s2_extended, s2_pretrained
from windtunnel.recipes.s3 import s3
from windtunnel.recipes.s4 import s4
from windtunnel.recipes.sweeps import quickstart_sweep, s2_sweep
from windtunnel.registry import suggest

_RECIPES: Mapping[str, Callable[[], Experiment]] = {
    "quickstart": quickstart,
    "mnist/lenet": mnist_lenet,
    "mnist/fast99": mnist_fast99,
    "cifar10/cnn": cifar10_cnn,
    "cifar10/slim_resnet": slim_resnet,
    "cifar10/airbench93": airbench93,
    "cifar10/airbench94": airbench94,
    "cifar10/airbench95": airbench95,
    "cifar10/airbench96": airbench96,
    "cifar10/s1_small": s1_small,
    "cifar10/airbench94_muon": airbench94_muon,
    "cifar10/airbench94_muon_resized": airbench94_muon_resized,
    "cifar10/fast90": fast90,
    "cifar10/fast94": fast94,
    "cifar10/fast95": fast95,
    "cifar10/fast96": fast96,
    "cifar100/fast75": cifar100_fast75,
    "cifar10/s0": s0,
    "cifar10/s0_better": s0_better,
    "cifar100/s2_extended": s2_extended,
    "cifar100/s2_pretrained": s2_pretrained,
    "cifar100/s2_better": s2_better,
    "cifar10/s3": s3,
    "cifar10/s4": s4,
    "cifar10/s1_better": s1_better,
    "cifar10/s3_better": s3_better,
    "cifar10/s4_better": s4_better,
}

_SWEEPS: Mapping[str, Callable[[], SweepConfig]] = {
    "quickstart_sweep": quickstart_sweep,
    "cifar10/s0_sweep": s0_sweep,
    "cifar100/s2_sweep": s2_sweep,
}


def list_recipes() -> dict[str, str]:
    """Return every recipe's name and what it is, in one line."""
    return {name: (build.__doc__ or "").splitlines()[0] for name, build in _RECIPES.items()}


def list_sweeps() -> dict[str, str]:
    """Return every sweep's name and what it is, in one line."""
    return {name: (build.__doc__ or "").splitlines()[0] for name, build in _SWEEPS.items()}


def load_recipe(name: str) -> Experiment:
    """Return the recipe called ``name``; the part after the slash is enough where only one has it.

    >>> load_recipe("airbench94").name
    'airbench94'

    Raises:
        UsageError: there is no such recipe, or several.
    """
    full = _find(name, _RECIPES)
    if full is None and _find(name, _SWEEPS):
        raise UsageError(f"{name!r} is a sweep of many runs; start it with `windtunnel sweep {name}`")
    if full is None and Path(name).is_dir():
        source = f"source: {{name: image_folder, path: {name}, image_size: 32}}"
        raise UsageError(
            f"{name!r} is a folder; name it as `data: {{{source}}}` in a YAML file with `base: cifar10/cnn`"
        )
    if full is None:
        raise UsageError(_say_unknown("recipe", name, _RECIPES))
    return _RECIPES[full]()


def fast_recipe(data: str, target: float) -> str:
    """Return the name of our own speed recipe for a data set: the cheapest that is meant for ``target`` percent.

    >>> fast_recipe("cifar10", 94.5), fast_recipe("mnist", 98.5)
    ('cifar10/fast95', 'mnist/fast99')

    Raises:
        UsageError: the data set has none, or none that goes so far.
    """
    known = {name: float(name.partition("/fast")[2]) for name in _RECIPES if "/fast" in name}
    mine = {name: percent for name, percent in known.items() if name.startswith(f"{data}/")}
    far = [name for name, percent in mine.items() if percent >= target]
    if not far:
        have = ", ".join(mine or known)
        raise UsageError(f"there is no fast recipe for {data} to {target:g}%; known: {have}; name another recipe")
    return min(far, key=mine.__getitem__)


def is_sweep(name: str) -> bool:
    """Say whether a bundled sweep has this name."""
    return _find(name, _SWEEPS) is not None


def load_sweep_recipe(name: str) -> SweepConfig:
    """Return the bundled sweep called ``name``; the part after the slash is enough.

    Raises:
        UsageError: there is no such sweep.
    """
    full = _find(name, _SWEEPS)
    if full is None:
        raise UsageError(_say_unknown("sweep", name, _SWEEPS))
    return _SWEEPS[full]()


def load_experiment(reference: str, overrides: Sequence[str] = ()) -> Experiment:
    """Return the recipe or YAML file ``reference`` with ``overrides`` on top.

    A YAML file may name another recipe or file as its ``base`` and give only what differs.

    Raises:
        UsageError: there is no such recipe or file.
        ConfigError: the result does not validate; carries every problem.
    """
    tree = read_tree(reference)
    source = reference if not overrides else f"{reference} with {' '.join(overrides)}"
    return validate_tree(Experiment, apply_overrides(tree, overrides), source)


def read_tree(reference: str, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields of the recipe or YAML file ``reference``, laid over its base; not validated.

    Args:
        reference: name or path.
        seen: files whose base this is, to find circles.

    Raises:
        UsageError: there is no such recipe or file, or a base leads back to it.
    """
    if not is_yaml(reference):
        return load_recipe(reference).model_dump(mode="json")
    path = Path(reference)
    if str(path.resolve()) in seen:
        raise UsageError(f"{reference}: base leads back to this file")
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError(reference, [Problem("", "must be a mapping of fields, see `windtunnel show quickstart`")])
    return lay_over_base(tree, path, (*seen, str(path.resolve())))


def lay_over_base(tree: Mapping[str, Any], file: Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return ``tree`` laid over the recipe or file it names as its ``base``; ``tree`` itself when it names none.

    Args:
        tree: fields, ``base`` among them or not.
        file: where they come from; a base that is a path starts in its folder.
        seen: files that led here.
    """
    base = tree.get("base")
    fields = {key: value for key, value in tree.items() if key != "base"}
    if base is None:
        return fields
    if not isinstance(base, str):
        problem = Problem("base", "must be the name of a recipe or the path of a .yaml file")
        raise ConfigError(str(file), [problem])
    if is_yaml(base):
        base = str(file.parent / base)
    return merge(read_tree(base, seen), fields)


def _find(name: str, known: Mapping[str, Any]) -> str | None:
    if name in known:
        return name
    short = [full for full in known if full.rpartition("/")[2] == name]
    if len(short) > 1:
        raise UsageError(f"{name!r} may be {' or '.join(short)}; give the whole name")
    return short[0] if short else None


def _say_unknown(kind: str, name: str, known: Mapping[str, Any]) -> str:
    near = suggest(name, [*known, *(full.rpartition("/")[2] for full in known)])
    hint = f"; did you mean {near!r}?" if near else ";"
    return f"there is no {kind} {name!r}{hint} known: {', '.join(known)}, or the path of a .yaml file"
