"""Looks at every file of a folder and says which are not whole."""

import csv
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

UNFINISHED = (".tmp", ".part", ".building", ".lock")
"""What ends so, a file or a folder, is known not to be whole by its name; nobody takes it for a result."""


def find_damage(folder: Path) -> list[str]:
    """Return in words which files below ``folder`` are half-written, and how that shows."""
    found = []
    for path in sorted(folder.rglob("*")):
        check = _CHECKS.get(path.suffix)
        if check is None or any(part.endswith(UNFINISHED) for part in path.relative_to(folder).parts):
            continue
        try:
            check(path)
        except FileNotFoundError:  # replaced or removed while we looked
            continue
        except Exception as error:  # whatever a reader makes of half a file
            found.append(f"{path.relative_to(folder)}: {type(error).__name__}: {error}")
    return found


def find_leftovers(folder: Path) -> list[Path]:
    """Return the temporary files that a kill left."""
    return [path for path in folder.rglob(".*.tmp") if path.is_file()]


def _check_json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _check_lines(path: Path) -> None:
    """Every line but a torn last one, which never counted, has to be JSON."""
    for line in path.read_bytes().split(b"\n")[:-1]:
        json.loads(line)


def _check_yaml(path: Path) -> None:
    if not isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict):
        raise ValueError("holds no fields")


def _check_csv(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    if len({len(row) for row in rows}) != 1:
        raise ValueError("its rows differ in length, or there are none")


def _check_safetensors(path: Path) -> None:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    if len(content) != 8 + length + end:
        raise ValueError(f"{len(content)} bytes, not {8 + length + end}")


def _check_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as file:
        if (bad := file.testzip()) is not None:
            raise ValueError(f"{bad} is damaged")


def _check_array(path: Path) -> None:
    np.load(path, mmap_mode="r", allow_pickle=False)


def _check_picture(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def _check_page(path: Path) -> None:
    if not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise ValueError("does not end with </html>")


_CHECKS: dict[str, Callable[[Path], None]] = {
    ".json": _check_json,
    ".jsonl": _check_lines,
    ".yaml": _check_yaml,
    ".csv": _check_csv,
    ".safetensors": _check_safetensors,
    ".pt": _check_zip,
    ".npz": _check_zip,
    ".npy": _check_array,
    ".png": _check_picture,
    ".html": _check_page,
}
