"""Every component's config and what it builds fit each other, checked without building anything."""

import importlib
import inspect
import pkgutil

import pytest

import windtunnel.config
from windtunnel.config.base import Component, component_name
from windtunnel.registry import import_object


def _subclasses(cls):
    return {found for child in cls.__subclasses__() for found in {child, *_subclasses(child)}}


def _components():
    for module in pkgutil.walk_packages(windtunnel.config.__path__, "windtunnel.config."):
        importlib.import_module(module.name)
    found = [cls for cls in _subclasses(Component) if cls.__module__.startswith("windtunnel.") and cls.target]
    return sorted(found, key=lambda cls: (cls.__module__, cls.__name__))


COMPONENTS = _components()


def _keywords(target):
    parameters = inspect.signature(target).parameters.values()
    return {parameter.name: parameter for parameter in parameters}


def test_components_are_found():
    assert {"sgd", "airbench", "digits", "random_crop", "cosine"} <= {component_name(cls) for cls in COMPONENTS}


@pytest.mark.parametrize("cls", COMPONENTS, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_the_target_takes_every_field_by_keyword_with_no_other_default_than_the_config(cls):
    parameters = _keywords(import_object(cls.target))
    fields = set(cls.model_fields) - {"name"}
    assert fields <= set(parameters)
    assert not [parameter for parameter in parameters.values() if parameter.kind is parameter.VAR_KEYWORD]
    defaults = {name: parameters[name].default for name in fields}
    assert {name: value for name, value in defaults.items() if value is not inspect.Parameter.empty} == {
        name: cls.model_fields[name].default for name, value in defaults.items() if value is not inspect.Parameter.empty
    }
    assert [name for name in fields if parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY] == []


@pytest.mark.parametrize("cls", COMPONENTS, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_field_is_described(cls):
    assert [name for name, field in cls.model_fields.items() if name != "name" and not field.description] == []
