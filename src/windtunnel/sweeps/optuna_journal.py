"""Optuna's journal in a file, for one writer. Importing this needs Optuna."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from windtunnel.core.files import append_to, cut_torn_line


class OneWriterJournal(BaseJournalBackend):
    """The format of Optuna's own file backend without its lock file, which a killed process would leave behind.

    Whoever uses it holds the sweep's folder, so nobody else writes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.touch()
        cut_torn_line(path)
        self._read_to = (0, 0)  # entries and bytes

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the entries from ``log_number_from`` on."""
        number, place = self._read_to if self._read_to[0] <= log_number_from else (0, 0)
        with self._path.open("rb") as file:
            file.seek(place)
            for line in file:
                number, place = number + 1, place + len(line)
                if number > log_number_from:
                    yield json.loads(line)
        self._read_to = (number, place)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries through to the disk."""
        with self._path.open("ab") as file:
            lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
            append_to(file.fileno(), lines.encode(), self._path)
            os.fsync(file.fileno())
