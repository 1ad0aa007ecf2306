"""The settings of many runs as dotted fields, without parsing the same lines twice."""

import re
from dataclasses import dataclass, field
from typing import Any

from windtunnel.config.files import parse_yaml
from windtunnel.errors import ConfigError
from windtunnel.sweeps.definition import describe_value, flatten

Scalar = str | int | float | bool | None

_TOP_LEVEL = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)
_WHOLE = re.compile(r"([a-z_]+): (0|[1-9][0-9]{0,15})\n")
_UNCOMPARED = {"project"}


@dataclass
class ConfigReader:
    """Reads ``config.yaml`` files as windtunnel writes them.

    The files of a sweep's runs differ in a line or two: each block under a top-level key is parsed once and known by
    its text after that.
    """

    _blocks: dict[str, dict[str, Scalar]] = field(default_factory=dict)

    def read(self, text: str) -> dict[str, Scalar]:
        """Return the settings as dotted field -> value, lists and mappings in lists as text; none when not YAML.

        The experiment's name is left out: it differs in every run and says nothing that its folder's does not.
        """
        fields: dict[str, Scalar] = {}
        for block in _TOP_LEVEL.split(text):
            if whole := _WHOLE.fullmatch(block):  # seeds, mostly: one of a kind, and quickly read
                fields[whole[1]] = int(whole[2])
            elif not block.startswith("name:"):
                if block not in self._blocks:
                    self._blocks[block] = _parse(block)
                fields.update(self._blocks[block])
        return fields


def count_values(configs: list[dict[str, Scalar]]) -> list[tuple[str, int]]:
    """Return each field with how many values it has among ``configs``, most first; without names of runs."""
    seen: dict[str, set[Scalar]] = {}
    for config in configs:
        for name, value in config.items():
            seen.setdefault(name, set()).add(value)
    counted = [(name, len(values)) for name, values in seen.items() if name not in _UNCOMPARED]
    return sorted(counted, key=lambda pair: -pair[1])


def list_differences(a: dict[str, Scalar], b: dict[str, Scalar]) -> list[tuple[str, Scalar, Scalar]]:
    """Return the fields in which two runs differ, with both values; None where a run has no such field.

    >>> list_differences({"optim.lr": 0.1, "seed": 0}, {"optim.lr": 0.3, "seed": 0})
    [('optim.lr', 0.1, 0.3)]
    """
    names = [name for name in {**a, **b} if name not in _UNCOMPARED]
    return [(name, a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)]


def _parse(block: str) -> dict[str, Scalar]:
    try:
        tree = parse_yaml(block, "config.yaml")
    except ConfigError:
        return {}
    return {name: _as_scalar(value) for name, value in flatten(tree).items()} if isinstance(tree, dict) else {}


def _as_scalar(value: Any) -> Scalar:
    return value if value is None or isinstance(value, str | int | float | bool) else describe_value(value)
