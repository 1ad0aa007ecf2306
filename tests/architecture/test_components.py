"""Every component's config and what it builds fit each other, checked without building anything."""

import importlib
import inspect
import pkgutil
from typing import get_args

from pydantic import BaseModel

import windtunnel.config
from windtunnel.config.base import Component, component_name
from windtunnel.registry import import_object


def _subclasses(cls):
    return {found for child in cls.__subclasses__() for found in {child, *_subclasses(child)}}


def _components():
    for module in pkgutil.walk_packages(windtunnel.config.__path__, "windtunnel.config."):
        importlib.import_module(module.name)
    found = [cls for cls in _subclasses(Component) if cls.__module__.startswith("windtunnel.") and _is_named(cls)]
    return sorted(found, key=lambda cls: (cls.__module__, cls.__name__))


def _is_named(cls):
    """Say whether ``cls`` can be picked by name, and is no base of others."""
    return bool(get_args(cls.model_fields["name"].annotation))


COMPONENTS = _components()
# composite blocks have none: they are built from what they hold
WITH_TARGET = [cls for cls in COMPONENTS if cls.target]


def _name(cls):
    return f"{cls.__module__}.{cls.__name__}"


def _parameters(cls):
    return inspect.signature(import_object(cls.target)).parameters


def test_components_are_found():
    assert {"sgd", "airbench", "digits", "random_crop", "cosine"} <= {component_name(cls) for cls in COMPONENTS}


def test_every_target_takes_every_field_by_keyword():
    assert {_name(cls): problems for cls in WITH_TARGET if (problems := _misfits(cls, _parameters(cls)))} == {}


def _misfits(cls, parameters):
    """Return what keeps a config's fields from being given by keyword to a target with ``parameters``."""
    fields = set(cls.model_fields) - {"name"}
    unknown = [f"{name} is not taken" for name in sorted(fields - set(parameters))]
    catching = [f"**{each.name} takes anything" for each in parameters.values() if each.kind is each.VAR_KEYWORD]
    known = sorted(fields & set(parameters))
    by_place = [f"{name} by place" for name in known if parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY]
    return unknown + catching + by_place


def test_no_target_has_another_default_than_its_config():
    ours = [cls for cls in WITH_TARGET if cls.target.startswith("windtunnel.")]
    assert {_name(cls): others for cls in ours if (others := _other_defaults(cls, _parameters(cls)))} == {}


def _other_defaults(cls, parameters):
    """Return each field whose default is not the parameter's, with both."""
    fields = [(name, field) for name, field in cls.model_fields.items() if name != "name" and name in parameters]
    defaults = {name: (parameters[name].default, field.default) for name, field in fields}
    return {
        name: both for name, both in defaults.items() if both[0] is not inspect.Parameter.empty and both[0] != both[1]
    }


def test_every_field_is_described():
    bare = {
        _name(cls): [name for name, field in cls.model_fields.items() if name != "name" and not field.description]
        for cls in COMPONENTS
    }
    assert {cls: names for cls, names in bare.items() if names} == {}


class _Odd(BaseModel):
    """Fits `_odd` in no way."""

    name: str = "odd"
    taken: int = 1
    missing: int = 2


def _odd(taken=3, /, **rest):
    pass


def test_what_does_not_fit_would_be_found():
    parameters = inspect.signature(_odd).parameters
    assert _misfits(_Odd, parameters) == ["missing is not taken", "**rest takes anything", "taken by place"]
    assert _other_defaults(_Odd, parameters) == {"taken": (3, 1)}
