"""Random experiments, drawn from the config classes themselves: mostly within range, now and then not."""

import operator
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from windtunnel.config.augment import POLICIES
from windtunnel.config.base import ComponentOf, component_name
from windtunnel.config.experiment import Experiment

COUNTS = (0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 32, 48, 64)
REALS = (0.0, 1e-3, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999, 1.0, 1.5, 2.0, 4.0)
ODD_VALUES = st.sampled_from(
    [-1, -0.5, 1e9, 10**12, "5", "", "sgd", None, True, [], [1, 2], {}, {"name": 3}, "no such"]
)
WORDS = st.sampled_from(["a", "auto", "cpu", "none", "../x", "name with blanks"])

# What a test cannot pay for: minutes of compilation, other machines' files, another device.
FIXED = {
    "runtime.compile": "off",
    "runtime.device": "cpu",
    "runtime.threads": 1,
    "data.batch_size": 8,
    "name": "fuzz",
    "project": "fuzz",
    "budget": {"parameters": 3_000_000},
    "train.epochs": 1,
}
_DEEPEST = 5
_ONE_IN = 1000
_BOUNDS = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}


def experiments(source: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Trees for :class:`Experiment`, as a YAML file would hold them; ``source`` is their ``data.source``."""
    return _config(Experiment, "", 0).map(lambda tree: _with_source(tree, source))


def _with_source(tree: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    data = tree["data"]
    return {**tree, "data": {**data, "source": source} if isinstance(data, dict) else data}


def _config(cls: type[BaseModel], path: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required, optional = {}, {}
    for name, field in cls.model_fields.items():
        here = f"{path}.{name}".lstrip(".")
        if here in FIXED:
            required[name] = st.just(FIXED[here])
            continue
        value = _sometimes_odd(_value(field.annotation, tuple(field.metadata), here, depth + 1))
        value = _or_policy(value) if here == "augment" else value
        (required if field.is_required() else optional)[name] = value
    return st.fixed_dictionaries(required, optional=optional if depth <= _DEEPEST else {})


def _sometimes_odd(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    # hypothesis favours the ends of a range: one value in its middle is drawn about as seldom as it looks
    return st.integers(0, _ONE_IN).flatmap(lambda roll: ODD_VALUES if roll == _ONE_IN // 3 else strategy)


def _or_policy(ops: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return mostly ``ops``, and now and then the name of a policy."""
    return st.integers(0, 4).flatmap(lambda roll: st.sampled_from(sorted(POLICIES)) if roll == 1 else ops)


def components(annotation: Any, path: str) -> st.SearchStrategy[Any]:
    """Components of a union, e.g. ``StrategyConfig``, as a YAML file would hold them; ``path`` is the field's."""
    return _value(annotation, (), path, 1)


def _value(annotation: Any, metadata: tuple[Any, ...], path: str, depth: int) -> st.SearchStrategy[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return _value(inner, (*metadata, *more), path, depth)
    union = next((part for part in metadata if isinstance(part, ComponentOf)), None)
    if union is not None:
        return _component(annotation, union, path, depth)
    if origin in (Union, types.UnionType):
        return st.deferred(lambda: st.one_of(*(_value(part, metadata, path, depth) for part in get_args(annotation))))
    if origin is tuple:
        return _sequence(get_args(annotation), metadata, path, depth)
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    if annotation is type(None):
        return st.none()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return st.deferred(lambda: _config(annotation, path, depth))
    if annotation in (int, float):
        return st.sampled_from(_within(COUNTS if annotation is int else REALS, metadata))
    return {bool: st.booleans(), str: WORDS}.get(annotation, ODD_VALUES)


def _within(pool: tuple[float, ...], metadata: tuple[Any, ...]) -> list[float]:
    """Return the values of ``pool`` that the field's own bounds allow."""
    bounds = [
        (_BOUNDS[name], getattr(part, name)) for part in _flatten(metadata) for name in _BOUNDS if hasattr(part, name)
    ]
    return [value for value in pool if all(holds(value, bound) for holds, bound in bounds)]


def _flatten(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for part in metadata:
        yield from _flatten(tuple(part.metadata)) if isinstance(part, FieldInfo) else (part,)


def _component(annotation: Any, union: ComponentOf, path: str, depth: int) -> st.SearchStrategy[Any]:
    classes = [cls for cls in (get_args(annotation) or (annotation,)) if cls is not type(None)]
    described = [st.deferred(lambda cls=cls: _named(cls, path, depth)) for cls in classes]
    presets = [st.sampled_from(sorted(union.presets))] if union.presets else []
    absent = [st.none()] if type(None) in get_args(annotation) else []
    return st.one_of(*described, *presets, *absent)


def _named(cls: type[BaseModel], path: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    names = get_args(cls.model_fields["name"].annotation)
    name = component_name(cls) if names and isinstance(names[0], str) else "timm/resnet10t"
    return _config(cls, path, depth).map(lambda fields: {**fields, "name": name})


def _sequence(parts: tuple[Any, ...], metadata: tuple[Any, ...], path: str, depth: int) -> st.SearchStrategy[list[Any]]:
    if len(parts) == 2 and parts[1] is Ellipsis:
        shortest = max((part.min_length for part in _flatten(metadata) if hasattr(part, "min_length")), default=0)
        return st.lists(st.deferred(lambda: _value(parts[0], (), path, depth)), min_size=shortest, max_size=3)
    return st.tuples(*(_value(part, (), path, depth) for part in parts)).map(list)
