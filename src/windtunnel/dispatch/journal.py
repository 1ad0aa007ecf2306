"""The journal of a sweep's runs: append-only JSON lines, each on disk before the next thing happens.

The first line names the format. A process killed while writing leaves half a line at the end; it never counted, and is
cut. Anything else that cannot be read is damage, and is refused rather than guessed at. Order is that of the lines;
the times in them only ever grow, also where somebody sets the clock back, so that none lies before its cause.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windtunnel.core.files import append_to, cut_torn_line, strip_nonfinite
from windtunnel.core.locks import is_locked, try_to_lock
from windtunnel.core.steady import SteadyClock
from windtunnel.errors import UsageError

FORMAT = "windtunnel dispatch"
VERSION = 1

Event = dict[str, Any]


class Journal:
    """Appends events; held by one process, see :func:`hold_folder`."""

    def __init__(self, path: Path) -> None:
        """Open the journal at ``path``, or begin one; ``events`` holds what it had."""
        self.path = path
        self.events = read_journal(path)
        cut_torn_line(path)
        self._clock = SteadyClock(not_before=max((event.get("time", 0.0) for event in self.events), default=0.0))
        self._file = path.open("ab", buffering=0)
        if path.stat().st_size == 0:
            self._write({"journal": FORMAT, "version": VERSION})

    def append(self, event: str, **values: Any) -> Event:
        """Write one event to disk and return it."""
        line = {"event": event, "time": round(self._clock.now(), 3), **strip_nonfinite(values)}
        self._write(line)
        return line

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: Event) -> None:
        append_to(self._file.fileno(), json.dumps(line, allow_nan=False).encode() + b"\n", self.path)
        os.fsync(self._file.fileno())


def read_journal(path: Path) -> list[Event]:
    """Return the events of the journal at ``path``; none when there is no file or only half a first line.

    Raises:
        UsageError: the file is no journal, of another version, or damaged.
    """
    if not path.exists():
        return []
    complete = path.read_bytes().split(b"\n")[:-1]
    lines = [_parse(path, number, line) for number, line in enumerate(complete, start=1)]
    if not lines:
        return []
    _check_header(path, lines[0])
    return lines[1:]


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Keep other dispatchers from ``folder``; the kernel lets go when this process ends, however it ends.

    The lock is ``flock``: safe between processes of one machine, and across machines where the file system carries it.

    Raises:
        UsageError: another dispatcher holds it; says which process.
    """
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        if not try_to_lock(file):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise UsageError(
                f"another dispatcher (process {holder}) works on {folder.parent}; look at it with "
                f"`windtunnel queue {folder.parent}`, or stop it first"
            )
        file.truncate(0)
        append_to(file.fileno(), f"{os.getpid()} on {socket.gethostname()}\n".encode(), folder / "lock")
        yield


def is_held(folder: Path) -> bool:
    """Say whether a dispatcher works on ``folder`` now."""
    return is_locked(folder / "lock")


def _parse(path: Path, number: int, line: bytes) -> Event:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}, line {number} is damaged: {error}; restore the file or use a new folder") from None
    if not isinstance(value, dict):
        raise UsageError(f"{path}, line {number} is damaged: no event; restore the file or use a new folder")
    return value


def _check_header(path: Path, header: Event) -> None:
    if header.get("journal") != FORMAT:
        raise UsageError(f"{path} is no journal of runs: its first line is {json.dumps(header)[:80]}")
    if header.get("version") != VERSION:
        raise UsageError(
            f"{path} has version {header.get('version')!r}, this windtunnel reads version {VERSION}; "
            "go on with the windtunnel that wrote it, or use a new folder"
        )
