"""Turning pydantic's errors into problems a person can act on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from windtunnel.config.base import Component, ComponentOf, component_name, name_default_components
from windtunnel.errors import ConfigError, Problem
from windtunnel.registry import suggest

ConfigClass = TypeVar("ConfigClass", bound=BaseModel)

_LONGEST_VALUE = 60
_DEEPEST = 4


def validate_tree(cls: type[ConfigClass], tree: Any, source: str) -> ConfigClass:
    """Return ``tree`` as a ``cls``.

    Raises:
        ConfigError: every problem in ``tree`` at once; ``source`` says where the tree came from.

    """
    try:
        return cls.model_validate(tree)
    except ValidationError as error:
        problems = [describe_error(cls, tree, detail) for detail in error.errors(include_url=False)]
        raise ConfigError(source, problems) from None


def describe_error(cls: type[BaseModel], tree: Any, error: ErrorDetails) -> Problem:
    """Return pydantic's ``error`` in plain words, with the value and a near name where there is one."""
    location = error["loc"]
    path = describe_location(location)
    if error["type"] == "extra_forbidden":
        parent = find_model(cls, tree, location[:-1])
        known = list(parent.model_fields) if parent else []
        allowed = f"is not a known field; allowed: {', '.join(known)}" if known else "is not a known field"
        name = str(location[-1])
        return Problem(path, allowed, _show(error["input"]), suggest(name, known) or find_field(cls, tree, name))
    if error["type"] == "missing":
        return Problem(path, "is required")
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("String should", "must").replace("Tuple should", "must").replace("List should", "must")
    if error["type"] == "literal_error":
        choices = [choice.strip(" '") for choice in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        return Problem(path, message, _show(error["input"]), suggest(str(error["input"]), choices))
    if error["type"].startswith(("component_", "policy_")):
        return Problem(path, message)
    if error["type"] == "string_type" and isinstance(error["input"], int | float):
        quoted = f'"{json.dumps(error["input"])}"'
        message = f"must be text; give it as {quoted}, with the quotes, on a command line as '{quoted}'"
    if error["type"] == "model_type" and (model := find_model(cls, tree, location)):
        message = f"must be a mapping of fields: {', '.join(model.model_fields)}"
    return Problem(path, message, _show(error["input"]))


def describe_location(location: Sequence[int | str]) -> str:
    """Return a dotted path.

    >>> describe_location(("model", "blocks", 3, "width"))
    'model.blocks.3.width'
    """
    return ".".join(str(part) for part in location)


def find_model(cls: type[BaseModel], tree: Any, location: Sequence[int | str]) -> type[BaseModel] | None:
    """Return the config class that the part of ``tree`` at ``location`` is read by, or None."""
    current: type[BaseModel] | None = cls
    annotation: Any = cls
    for part in location:
        named = name_default_components(current, tree) if current and isinstance(tree, Mapping) else tree
        tree = _child(named, part)
        if isinstance(part, str):
            field = current.model_fields.get(part) if current else None
            if field is None:
                return None
            annotation = (field.annotation, *field.metadata)
        current = _pick(annotation, tree)
    return current


def find_field(cls: type[BaseModel], tree: Any, name: str) -> str:
    """Return the dotted path of the field called ``name``, or nearly so, ``""`` when there is none.

    Of several the one that is nested least. Components have the fields of the ones that ``tree`` picks.
    """
    paths = sorted(_list_fields(cls, tree, ()), key=lambda path: path.count("."))
    by_name = {path.rpartition(".")[2]: path for path in reversed(paths)}
    return by_name.get(name) or by_name.get(suggest(name, by_name), "")


def _list_fields(cls: type[BaseModel], tree: Any, location: tuple[str, ...]) -> Iterator[str]:
    config = find_model(cls, tree, location)
    if config is None or len(location) == _DEEPEST:
        return
    for name in config.model_fields:
        yield ".".join((*location, name))
        yield from _list_fields(cls, tree, (*location, name))


def _child(tree: Any, part: int | str) -> Any:
    if isinstance(tree, Mapping):
        return tree.get(part)
    if isinstance(tree, Sequence) and not isinstance(tree, str) and isinstance(part, int) and part < len(tree):
        return tree[part]
    return None


def _pick(annotation: Any, tree: Any) -> type[BaseModel] | None:
    parts = list(_flatten(annotation))
    models = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    for union in (part for part in parts if isinstance(part, ComponentOf)):
        if isinstance(tree, str | Mapping):
            tree = union.expand(tree)
    name = tree.get("name") if isinstance(tree, Mapping) else None
    named = [model for model in models if issubclass(model, Component) and component_name(model) == name]
    if named:
        return named[0]
    return models[0] if len(models) == 1 else None


def _flatten(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, tuple):
        for part in annotation:
            yield from _flatten(part)
        return
    yield annotation
    for part in get_args(annotation):
        yield from _flatten(part)


def _show(value: Any) -> str:
    if isinstance(value, Mapping | BaseModel):
        return ""
    text = "null" if value is None else repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
