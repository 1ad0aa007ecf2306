"""Append-only files of JSON lines that survive being cut off in the middle of a line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windtunnel.core.files import append_bytes


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of ``path``; none when it does not exist."""
    if not path.exists():
        return []
    text = path.read_bytes()
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append ``value`` as one line."""
    append_bytes(path, json.dumps(value, ensure_ascii=False).encode() + b"\n")
