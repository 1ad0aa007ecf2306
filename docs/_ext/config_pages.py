"""One page for each part of the settings, from the config models: fields, what they take, defaults, meaning."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import windtunnel.config
from windtunnel.config.augment import POLICIES
from windtunnel.config.base import Component, ComponentOf, FrozenConfig, component_name
from windtunnel.config.models import MODEL_PRESETS

_WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", NoneType: "null", Any: "anything"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "length at least"}
_TITLES = {"run": "train, runtime", "tta": "test-time augmentation"}
_SHORT_NAMES: Mapping[str, Mapping[str, Any]] = {"models": MODEL_PRESETS, "augment": POLICIES}

_HEAD = """# Settings: {title}

Written from the config models when this page was built. `windtunnel show RECIPE` prints all settings of a recipe,
`windtunnel schema` their JSON schema for an editor.
"""


def render() -> dict[str, str]:
    """Return the text of every page by its file's name, an overview among them."""
    pages = {part: _page(part, classes) for part, classes in sorted(_parts().items())}
    listed = "\n".join(f"config_{part}" for part in pages)
    overview = f"# Settings\n\nEvery field of an experiment and of a sweep.\n\n```{{toctree}}\n{listed}\n```\n"
    return {"config.md": overview, **{f"config_{part}.md": text for part, text in pages.items()}}


def _parts() -> dict[str, list[type[FrozenConfig]]]:
    """Return the config classes of each module, or package, right below ``windtunnel.config``."""
    parts: dict[str, list[type[FrozenConfig]]] = {}
    for found in pkgutil.walk_packages(windtunnel.config.__path__, "windtunnel.config."):
        module = importlib.import_module(found.name)
        own = [cls for cls in vars(module).values() if _is_shown(cls) and cls.__module__ == module.__name__]
        parts.setdefault(found.name.split(".")[2], []).extend(own)
    return {part: classes for part, classes in parts.items() if classes and part != "base"}


def _is_shown(cls: Any) -> bool:
    return inspect.isclass(cls) and issubclass(cls, FrozenConfig) and not cls.__name__.startswith("_")


def _page(part: str, classes: list[type[FrozenConfig]]) -> str:
    head = _HEAD.format(title=_TITLES.get(part, part))
    short = _short_names(part)
    return "\n".join([head, *short, *(_section(cls) for cls in classes)])


def _short_names(part: str) -> Iterator[str]:
    if part in _SHORT_NAMES:
        rows = [f"| `{name}` | `{_compact(value)}` |" for name, value in _SHORT_NAMES[part].items()]
        yield "\n".join(["## Short names\n", "| name | stands for |", "|---|---|", *rows, ""])


def _section(cls: type[FrozenConfig]) -> str:
    named = issubclass(cls, Component) and get_args(cls.model_fields["name"].annotation)
    title = f"`{component_name(cls)}`" if issubclass(cls, Component) and named else cls.__name__
    rows = [
        f"| `{name}` | {_takes(field)} | {_default(field)} | {_meaning(field)} |"
        for name, field in cls.model_fields.items()
        if not (named and name == "name")
    ]
    table = ["| field | takes | default | meaning |", "|---|---|---|---|", *rows, ""] if rows else []
    return "\n".join([f"({_anchor(cls)})=\n## {title}\n", inspect.getdoc(cls) or "", "", *table])


def _anchor(cls: type[BaseModel]) -> str:
    return f"{cls.__module__.removeprefix('windtunnel.')}.{cls.__name__}".lower().replace(".", "-")


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "`").split()).replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Component):
        return f"`{value.name}`"
    return "its defaults" if isinstance(value, BaseModel) else f"`{_compact(value)}`"


def _compact(value: Any) -> str:
    return json.dumps(value, default=lambda each: each.model_dump(mode="json"))


def _takes(field: FieldInfo) -> str:
    return _describe(field.annotation, field.metadata).replace("|", "\\|")


def _describe(annotation: Any, metadata: Any = ()) -> str:
    """Return what an annotation takes, in words and links."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return _describe(inner, [*metadata, *more])
    marker = next((each for each in metadata if isinstance(each, ComponentOf)), None)
    if marker is not None:
        return _component_link(marker, annotation)
    if origin in (Union, UnionType):
        return " or ".join(_describe(part) for part in get_args(annotation))
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    return f"{_plain(annotation, origin)}{_limits(metadata)}"


def _plain(annotation: Any, origin: Any) -> str:
    if origin in (tuple, list):
        inner = [part for part in get_args(annotation) if part is not Ellipsis]
        endless = origin is list or Ellipsis in get_args(annotation)
        return f"list of {_describe(inner[0])}" if endless else f"[{', '.join(_describe(part) for part in inner)}]"
    if origin in (dict, Mapping) or getattr(origin, "__name__", "") == "Mapping":
        key, value = get_args(annotation)
        return f"mapping of {_describe(key)} to {_describe(value)}"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{_anchor(annotation)})"
    return _WORDS.get(annotation, "anything")


def _component_link(marker: ComponentOf, annotation: Any) -> str:
    first = next(cls for cls in (get_args(annotation) or (annotation,)) if cls is not NoneType)
    return f"[{marker.kind}](config_{first.__module__.split('.')[2]}.md)"


def _limits(metadata: Any) -> str:
    found = [each for item in metadata for each in (item.metadata if isinstance(item, FieldInfo) else [item])]
    said = [
        f"{word} {getattr(each, name):g}"
        for each in found
        for name, word in _BOUNDS.items()
        if getattr(each, name, None) is not None
    ]
    return f", {', '.join(said)}" if said else ""
