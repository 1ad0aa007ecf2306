"""What every config is made of: a frozen strict model, value types with ranges, named components.

A component is a config with a ``name`` that picks it out of a union (a model, an optimizer, an
augmentation) and a ``target``, the import path of what it builds. The target is text so that reading and
checking a config never imports torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from windtunnel.errors import UsageError
from windtunnel.registry import import_object, suggest


def _as_integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Strict scalars: "5" is not a number and true is not a count, but 1 is a fine real number and 5e6 a fine count.
Int = Annotated[int, Strict(), BeforeValidator(_as_integer)]
Count = Annotated[int, Strict(), Field(ge=1), BeforeValidator(_as_integer)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
NonNegativeInt = Annotated[int, Strict(), Field(ge=0), BeforeValidator(_as_integer)]
Real = Annotated[float, Strict()]
PositiveReal = Annotated[float, Strict(), Field(gt=0)]
NonNegativeReal = Annotated[float, Strict(), Field(ge=0)]
Fraction = Annotated[float, Strict(), Field(ge=0, le=1)]
OpenFraction = Annotated[float, Strict(), Field(ge=0, lt=1)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]


class FrozenConfig(BaseModel):
    """Base of every config: immutable, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _name_default_components(cls, fields: Any) -> Any:
        """Take fields of a component without its name for the default one's: ``optim: {lr: 0.1}``."""
        return name_default_components(cls, fields) if isinstance(fields, Mapping) else fields


class Component(FrozenConfig):
    """A config picked by ``name`` that builds one object.

    Subclasses declare ``name: Literal["..."]`` and ``target``, the import path of a class or function that
    takes every other field as a keyword argument, plus what the builder passes (such as ``num_classes``).
    """

    target: ClassVar[str] = ""
    name: str

    def build(self, **context: Any) -> Any:
        """Build the object this config describes; ``context`` is what only the caller knows."""
        fields = {field: getattr(self, field) for field in type(self).model_fields if field != "name"}
        return import_object(self.target)(**fields, **context)


def name_default_components(cls: type[BaseModel], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` of ``cls``, where a component that is given without its ``name`` is the field's default one."""
    defaults = {key: cls.model_fields[key].default for key in fields if key in cls.model_fields}
    unnamed = {
        key: {**default.model_dump(), **fields[key]}
        for key, default in defaults.items()
        if isinstance(default, Component) and isinstance(fields[key], Mapping) and "name" not in fields[key]
    }
    return {**fields, **unnamed}


def component_name(cls: type[Component]) -> str:
    """Return the ``name`` that picks ``cls`` out of its union."""
    names: tuple[str, ...] = get_args(cls.model_fields["name"].annotation)
    return names[0]


@dataclass(frozen=True)
class ComponentOf:
    """Marks ``A | B | ...`` as a union of components of one kind, picked by ``name``.

    A bare text ``"sgd"`` means ``{"name": "sgd"}``. A preset name expands to the fields it stands for, under
    the fields the user gave. A name with a colon is the import path of the user's own component config.

    Args:
        kind: what the union holds, for messages, e.g. ``"model"``.
        presets: preset name -> fields, ``name`` among them.
        adopt: turns a user's imported object that is no component config into one, or raises UsageError.
        prefixes: beginning of a name, e.g. ``"timm/"`` -> the component that takes every such name.

    """

    kind: str
    presets: Mapping[str, Mapping[str, Any]] | None = None
    adopt: Callable[[str, Any, dict[str, Any]], Component] | None = None
    prefixes: Mapping[str, type[Component]] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Wrap the plain union (kept for the JSON schema) in a lookup by name."""
        members = get_args(source) or (source,)
        classes = {component_name(cls): cls for cls in members if cls is not type(None)}
        return core_schema.no_info_wrap_validator_function(
            lambda value, _handler: self.resolve(value, classes),
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_dump),
        )

    def resolve(self, value: Any, classes: Mapping[str, type[Component]]) -> Component:
        """Return the component ``value`` describes, validated by the class its name picks."""
        if isinstance(value, Component):
            return value
        fields = self.expand(value)
        name = fields.get("name")
        if not isinstance(name, str):
            raise self._unknown(name, classes)
        if ":" in name:
            return self._validate_imported(name, fields)
        for prefix, cls in (self.prefixes or {}).items():
            if name.startswith(prefix):
                return cls.model_validate(fields)
        if name not in classes:
            raise self._unknown(name, classes)
        return classes[name].model_validate(fields)

    def expand(self, value: Any) -> dict[str, Any]:
        """Return ``value`` as a mapping with presets filled in."""
        fields = {"name": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping):
            raise PydanticCustomError(
                "component_type", f"must be a name or a mapping with a 'name' that picks the {self.kind}"
            )
        preset = (self.presets or {}).get(str(fields.get("name")))
        rest = {key: item for key, item in fields.items() if key != "name" or preset is None}
        return {**(preset or {}), **rest}

    def known_names(self, classes: Mapping[str, Any]) -> list[str]:
        """Return every name this union accepts."""
        return sorted({*classes, *(self.presets or {})})

    def _unknown(self, name: Any, classes: Mapping[str, Any]) -> PydanticCustomError:
        known = self.known_names(classes)
        near = suggest(str(name), known)
        said = f"there is no {self.kind} {name!r}" if name is not None else f"the {self.kind} needs a 'name'"
        hint = f"; did you mean {near!r}?" if near else ""
        listed = ", ".join(known).replace("{", "{{").replace("}", "}}")
        return PydanticCustomError(
            "component_name",
            "{said}{hint} known: {listed}",
            {
                "said": said,
                "hint": hint or ";",
                "listed": listed,
            },
        )

    def _validate_imported(self, name: str, fields: dict[str, Any]) -> Component:
        try:
            found = import_object(name)
            if isinstance(found, type) and issubclass(found, Component):
                return found.model_validate(fields)
            if self.adopt is not None:
                return self.adopt(name, found, {key: item for key, item in fields.items() if key != "name"})
        except UsageError as error:
            raise PydanticCustomError("component_import", "{text}", {"text": str(error)}) from error
        raise PydanticCustomError("component_import", "{name} is not a windtunnel Component config", {"name": name})


def _dump(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


__all__ = [
    "Component",
    "ComponentOf",
    "Count",
    "Flag",
    "Fraction",
    "FrozenConfig",
    "Int",
    "NonNegativeInt",
    "NonNegativeReal",
    "OpenFraction",
    "PositiveReal",
    "Real",
    "Text",
    "ValidationError",
    "component_name",
    "name_default_components",
]
