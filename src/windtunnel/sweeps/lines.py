"""Append-only files of JSON lines that survive being cut off in the middle of a line."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of ``path``; none when it does not exist."""
    if not path.exists():
        return []
    text = path.read_bytes()
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append ``value`` as one line."""
    with path.open("ab") as file:
        file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that a killed process left incomplete."""
    if not path.exists():
        return
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        os.truncate(path, whole)
