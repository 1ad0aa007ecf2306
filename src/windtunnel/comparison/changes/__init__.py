"""Named changes to an experiment, from a YAML file of the user's or one that lies here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.config.files import is_yaml, read_yaml
from windtunnel.config.overrides import parse_override
from windtunnel.errors import ConfigError, Problem, UsageError
from windtunnel.registry import suggest

_HOW = "give a list of path=value, or a mapping of dotted path to value"


@dataclass(frozen=True)
class Change:
    """Fields that are set together.

    Args:
        name: what the user called it.
        fields: path and value of each.
    """

    name: str
    fields: tuple[tuple[list[str], Any], ...]


def list_changes() -> list[str]:
    """Return the names of the change files that come with windtunnel."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.yaml"))


def load_changes(reference: str) -> tuple[Change, ...]:
    """Return the changes of the file ``reference``, or of the one that comes with windtunnel under that name.

    >>> [change.name for change in load_changes("s1_ablation")]
    ['crop_only', 'residual', 'short_large_batch']

    Raises:
        UsageError: there is no such file.
        ConfigError: it does not hold named changes.
    """
    tree = read_yaml(_find(reference))
    if not isinstance(tree, dict) or not tree:
        raise ConfigError(reference, [Problem("", f"must map the name of each change to its fields: {_HOW}")])
    return tuple(_read(reference, name, fields) for name, fields in tree.items())


def _find(reference: str) -> Path:
    if is_yaml(reference):
        return Path(reference)
    if reference not in list_changes():
        near = suggest(reference, list_changes())
        hint = f"; did you mean {near!r}?" if near else ";"
        known = ", ".join(list_changes())
        raise UsageError(f"--changes: there are no changes {reference!r}{hint} known: {known}, or a .yaml file")
    return Path(__file__).parent / f"{reference}.yaml"


def _read(source: str, name: str, fields: Any) -> Change:
    if isinstance(fields, Mapping) and fields and all("" not in path.split(".") for path in fields):
        return Change(name, tuple((path.split("."), value) for path, value in fields.items()))
    if isinstance(fields, list) and fields and all(isinstance(text, str) and "=" in text for text in fields):
        return Change(name, tuple(parse_override(text) for text in fields))
    raise ConfigError(source, [Problem(name, f"is no change: {_HOW}", repr(fields))])
