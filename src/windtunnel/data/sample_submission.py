"""A competition's sample submission: the header and the ids it wants, in its order."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from windtunnel.data.guard import reading
from windtunnel.errors import DataError

_SHOWN = 5


@dataclass(frozen=True)
class Sample:
    """What a sample submission holds.

    Args:
        path: the file.
        header: names of the columns.
        ids: first cell of each row; no two alike.
        labels: second cell of each row.
    """

    path: Path
    header: tuple[str, ...]
    ids: tuple[str, ...]
    labels: tuple[str, ...]


def read_sample(path: Path) -> Sample:
    """Read a CSV of a header and at least one row; the first column holds the ids.

    Raises:
        DataError: it is missing, empty, ragged, no CSV, or lists an id twice.
    """
    if not path.is_file():
        raise DataError(f"--sample-submission: no file {path}")
    rows = _read_rows(path)
    if len(rows) < 2:
        raise DataError(f"{path} lists no id; a sample submission has a header and a row for each image")
    header = tuple(rows[0])
    if len(header) < 2:
        raise DataError(f"{path}: the header is {header[0]!r}; it needs a column of ids and one of labels")
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise DataError(f"{path}, row {line}: {len(row)} cells under a header of {len(header)}")
    ids = tuple(row[0] for row in rows[1:])
    if repeated := [name for name, count in Counter(ids).items() if count > 1]:
        raise DataError(f"{path}: {len(repeated)} ids come more than once: {', '.join(repeated[:_SHOWN])}")
    return Sample(path, header, ids, tuple(row[1] for row in rows[1:]))


def _read_rows(path: Path) -> list[list[str]]:
    with reading(path, "a CSV file"):
        text = path.read_bytes().decode("utf-8-sig")  # spreadsheets put a mark in front
        try:
            return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        except csv.Error as error:
            raise ValueError(str(error)) from error
