"""Configs as YAML files, and their JSON schema.

The YAML read and written here is 1.2's core schema: ``1e-3`` is a number, ``off`` and ``2026-01-01`` are text,
only ``true`` and ``false`` are booleans. A key given twice is an error.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from windtunnel.config.experiment import Experiment
from windtunnel.errors import ConfigError, Problem, UsageError
from windtunnel.registry import suggest

_MOST_VALUES = 100_000
_SCALARS = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9_]*)|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is not text", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _tag, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def is_yaml(reference: str) -> bool:
    """Say whether ``reference``, by its ending, is a YAML file and not the name of something."""
    return reference.lower().endswith((".yaml", ".yml"))


def parse_yaml(text: str, source: str) -> Any:
    """Return the value ``text`` holds.

    Raises:
        ConfigError: it is not YAML; names the line and column in ``source``.

    """
    try:
        return _construct(_Loader(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(source, [Problem(place, f"not valid YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError as error:
        raise ConfigError(source, [Problem("", f"not valid YAML: {error}")]) from None
    except RecursionError:
        raise ConfigError(source, [Problem("", "not valid YAML: nested too deeply")]) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # a tag such as !!int on what is none
        raise ConfigError(source, [Problem("", f"not valid YAML: {error}")]) from None


def _construct(loader: _Loader) -> Any:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count_values(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count_values(node: yaml.Node, counted: dict[int, int]) -> int:
    """Return how many values ``node`` holds with every alias written out: a few lines of them could be billions."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = _MOST_VALUES  # of a node within itself, there is no end
        pairs = isinstance(node, yaml.MappingNode)
        children = [child for pair in node.value for child in pair] if pairs else node.value
        counted[id(node)] = 1 + sum(_count_values(child, counted) for child in children)
    if counted[id(node)] > _MOST_VALUES:
        problem = f"holds more than {_MOST_VALUES:,} values once its aliases are written out"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return counted[id(node)]


def read_yaml(path: Path) -> Any:
    """Return the value the YAML file at ``path`` holds.

    Raises:
        UsageError: the file is missing, unreadable or not UTF-8 text.
        ConfigError: it is not YAML.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = suggest(path.name, [other.name for other in path.parent.glob("*.y*ml")])
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"there is no file {path} in {Path.cwd()}{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    return parse_yaml(text, str(path))


def dump_tree(tree: Any) -> str:
    """Return plain values as YAML, short lists on one line."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)


def dump_yaml(config: BaseModel) -> str:
    """Return ``config`` as the YAML that reads back to it."""
    return dump_tree(config.model_dump(mode="json"))


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of an experiment, for editors that complete and check YAML."""
    return Experiment.model_json_schema()
