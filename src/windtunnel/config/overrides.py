"""Dotted overrides from the command line, and one config laid over another.

A component is replaced as a whole: ``model=resnet18``, ``model.name=resnet18`` and a mapping with another name
all drop the fields of the model that was there, since they belonged to it.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from windtunnel.config.files import parse_yaml
from windtunnel.errors import ConfigError, Problem

_MOST_DIGITS = 9


def parse_override(text: str) -> tuple[list[str], Any]:
    """Split ``a.b=1e-3`` into its path and its value, read as YAML.

    >>> parse_override("optim.lr=1e-3")
    (['optim', 'lr'], 0.001)

    Raises:
        ConfigError: there is no ``=``, an empty path part or the value is not YAML.

    """
    path, equals, value = text.partition("=")
    parts = path.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError("overrides", [Problem(text, "write overrides as dotted.path=value, e.g. optim.lr=0.05")])
    return parts, parse_yaml(value, f"override {text!r}")


def apply_overrides(tree: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return ``tree`` with every override set, the outer ones first: what picks a component before its fields."""
    return set_fields(tree, [parse_override(text) for text in overrides])


def set_fields(tree: Mapping[str, Any], fields: Sequence[tuple[list[str], Any]]) -> dict[str, Any]:
    """Return ``tree`` with the value at every path set, outer ones first: what picks a component before its fields."""
    result = copy.deepcopy(dict(tree))
    for path, value in sorted(fields, key=lambda item: _depth(item[0])):
        _set(result, path, copy.deepcopy(value))  # a later field may be set inside it
    return result


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``top`` laid over it, mapping by mapping; lists and components replace.

    >>> merge({"optim": {"name": "sgd", "lr": 1}}, {"optim": {"lr": 2}})
    {'optim': {'name': 'sgd', 'lr': 2}}
    >>> merge({"optim": {"name": "sgd", "lr": 1}}, {"optim": {"name": "adam"}})
    {'optim': {'name': 'adam'}}
    >>> merge({"optim": "adam"}, {"optim": {"lr": 2}})
    {'optim': {'name': 'adam', 'lr': 2}}
    """
    merged = dict(base)
    for key, value in top.items():
        merged[key] = _lay_over(merged.get(key), value)
    return merged


def _lay_over(old: Any, new: Any) -> Any:
    """Return ``new``, with what ``old`` says besides where both hold fields; a bare component name grows fields."""
    if not isinstance(new, Mapping):
        return new
    fields = {"name": old} if isinstance(old, str) else old
    return merge(fields, new) if isinstance(fields, Mapping) and not _replaces(fields, new) else new


def _replaces(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "name" in old and "name" in new and old["name"] != new["name"]


def _depth(path: list[str]) -> int:
    """Return how deep a field lies; a name lies where the component does that it picks."""
    return len(path) - (path[-1] == "name")


def _set(tree: dict[str, Any], path: list[str], value: Any) -> None:
    node: Any = tree
    for depth, part in enumerate(path[:-1]):
        node = _step(node, part, path[: depth + 1])
    key = path[-1]
    if isinstance(node, list):
        node[_index(node, key, path)] = value
    elif key == "name" and len(path) > 1 and node.get("name", value) != value:
        node.clear()
        node["name"] = value
    else:
        node[key] = _lay_over(node.get(key), value)


def _step(node: Any, part: str, path: list[str]) -> Any:
    if isinstance(node, list):
        return _descend(node, _index(node, part, path))
    child = node.get(part)
    if child is None:
        child = node[part] = {}
    return _descend(node, part)


def _descend(node: Any, key: Any) -> Any:
    if isinstance(node[key], str):  # a bare component name grows fields
        node[key] = {"name": node[key]}
    if not isinstance(node[key], dict | list):
        raise ConfigError("overrides", [Problem(str(key), "holds a value, not fields that could be set")])
    return node[key]


def _index(node: list[Any], part: str, path: list[str]) -> int:
    if not part.isdecimal() or len(part) > _MOST_DIGITS or int(part) >= len(node):
        where = ".".join(path)
        raise ConfigError("overrides", [Problem(where, f"is a list of {len(node)}; give an index below that", part)])
    return int(part)
