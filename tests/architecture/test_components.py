"""Every component's config and what it builds fit each other, checked without building anything."""

import importlib
import inspect
import pkgutil
from typing import get_args

import pytest

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


@pytest.mark.parametrize("cls", WITH_TARGET, ids=_name)
def test_the_target_takes_every_field_by_keyword(cls):
    parameters = _parameters(cls)
    fields = set(cls.model_fields) - {"name"}
    assert fields <= set(parameters)
    assert not [each for each in parameters.values() if each.kind is each.VAR_KEYWORD]
    assert [name for name in fields if parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY] == []


@pytest.mark.parametrize("cls", [cls for cls in WITH_TARGET if cls.target.startswith("windtunnel.")], ids=_name)
def test_the_target_has_no_other_default_than_the_config(cls):
    parameters = _parameters(cls)
    for name in set(cls.model_fields) - {"name"}:
        default = parameters[name].default
        assert default is inspect.Parameter.empty or default == cls.model_fields[name].default


@pytest.mark.parametrize("cls", COMPONENTS, ids=_name)
def test_every_field_is_described(cls):
    assert [name for name, field in cls.model_fields.items() if name != "name" and not field.description] == []
