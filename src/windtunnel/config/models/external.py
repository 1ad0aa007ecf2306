"""Networks from elsewhere: your own ``nn.Module`` by import path, and any of timm's by name.

``{name: "my.py:Net", width: 3}`` builds ``Net(width=3)``; where ``Net`` takes ``num_classes``, ``in_channels`` or
``image_size`` these are passed as well. ``{name: "timm/resnet18"}`` needs the ``timm`` extra.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue

from windtunnel.config.base import Component, Flag
from windtunnel.errors import UsageError
from windtunnel.registry import import_object, suggest

_CONTEXT = ("num_classes", "in_channels", "image_size")


class OwnModule(Component):
    """A user's own network; every further key is an argument of its class."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]
    name: str
    """Import path: ``package.module:Class`` or ``file.py:Class``."""

    def build(self, **context: Any) -> Any:
        """Build the network with the given arguments and those of the context that it takes."""
        found = import_object(self.name)
        wanted = {key: value for key, value in context.items() if key in _accepted(found) or _open(found)}
        arguments = {**wanted, **(self.model_extra or {})}
        return import_object("windtunnel.models.external:build_own")(found, arguments)


class Timm(Component):
    """A network of timm's, by its name there."""

    name: Annotated[str, Field(pattern=r"^timm/.+$")]
    """``timm/`` and timm's name, e.g. ``timm/resnet18.a1_in1k``."""
    pretrained: Flag = False
    """Start from timm's weights."""
    options: dict[str, JsonValue] = {}
    """Further arguments for ``timm.create_model``."""

    def build(self, **context: Any) -> Any:
        """Create the network through timm."""
        return import_object("windtunnel.models.external:build_timm")(
            architecture=self.name.removeprefix("timm/"),
            pretrained=self.pretrained,
            options=self.options,
            **context,
        )


def adopt_module(name: str, found: Any, fields: dict[str, Any]) -> Component:
    """Return the config of the user's class ``found``.

    Args:
        name: its import path.
        found: what lies there.
        fields: arguments the user gave for it.

    Raises:
        UsageError: it is not an ``nn.Module`` class, or does not take these arguments.

    """
    torch = sys.modules.get("torch")  # whoever defined an nn.Module has imported it
    if torch is None or not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        raise UsageError(f"{name} is neither a windtunnel Component config nor a torch.nn.Module class")
    _check_arguments(name, found, fields)
    return OwnModule(name=name, **fields)


def _check_arguments(name: str, found: Callable[..., Any], fields: dict[str, Any]) -> None:
    accepted = _accepted(found)
    unknown = [] if _open(found) else [key for key in fields if key not in accepted]
    if unknown:
        near = suggest(unknown[0], accepted)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"{name} takes no argument {unknown[0]!r}{hint} it takes: {', '.join(accepted)}")
    missing = [
        key
        for key, parameter in accepted.items()
        if parameter.default is parameter.empty and key not in fields and key not in _CONTEXT
    ]
    if missing:
        raise UsageError(f"{name} needs {', '.join(missing)}; give it beside the name")


def _accepted(found: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(found).parameters
    return {key: parameter for key, parameter in parameters.items() if parameter.kind in kinds}


def _open(found: Callable[..., Any]) -> bool:
    parameters = inspect.signature(found).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
