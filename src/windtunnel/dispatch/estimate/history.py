"""What earlier runs needed: one JSON line a run, appended under a lock, never rewritten."""

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from windtunnel.core.files import append_to
from windtunnel.core.places import cache_root
from windtunnel.data.locks import locked

_VERSION = 2


@dataclass(frozen=True)
class Measured:
    """What one run was seen to need.

    Args:
        kind: key of its kind.
        machine: the device it ran on, in words.
        precision: number format of activations.
        threads: CPU threads it ran with; 0 where that was left to torch.
        peak_bytes: largest memory it held on its device; None when not measured.
        seconds: wall clock of the whole run alone on its device; None when not measured.
        epochs: epochs it trained.
        step_seconds: a training step after warm-up, alone; None when not measured.
        step_flops: floating-point operations of a training step; None when it was never traced.
        startup_seconds: wall clock its worker took besides, before and after the run; None when not measured.
        unix_time: when, in seconds.
    """

    kind: str
    machine: str
    precision: str
    threads: int
    epochs: float
    peak_bytes: int | None = None
    seconds: float | None = None
    step_seconds: float | None = None
    step_flops: int | None = None
    startup_seconds: float | None = None
    unix_time: float = 0.0


class History:
    """The measured runs of a user, of all machines that share the file.

    Args:
        path: the file; None takes the one in the user's cache.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_root() / "estimates" / "history.jsonl"
        self._read_to = 0
        self._seen: list[Measured] = []

    def append(self, measured: Measured) -> None:
        """Add one run; a crash leaves at most half a line, which readers pass over."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"version": _VERSION, **asdict(measured), "unix_time": round(time.time(), 3)})
        with locked(self.path.with_suffix(".lock")), self.path.open("ab") as file:
            torn = b"\n" if self._ends_within_a_line() else b""
            append_to(file.fileno(), torn + line.encode() + b"\n", self.path)
            os.fsync(file.fileno())

    def read(self, machine: str) -> list[Measured]:
        """Return the runs on ``machine``, oldest first; lines of other versions and damaged ones are left out."""
        self._catch_up()
        return [measured for measured in self._seen if measured.machine == machine]

    def _catch_up(self) -> None:
        """Read what has been appended since; a year of sweeps is not parsed anew for every run that is priced."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._read_to:  # somebody has emptied it
                    self._read_to, self._seen = 0, []
                file.seek(self._read_to)
                complete, end, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            self._read_to, self._seen = 0, []
            return
        self._read_to += len(complete) + len(end)
        found = map(_parse, complete.decode(errors="replace").split("\n"))
        self._seen = [*self._seen, *(measured for measured in found if measured is not None)]

    def _ends_within_a_line(self) -> bool:
        with self.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


def _parse(line: str) -> Measured | None:
    try:
        values: Any = json.loads(line)
        if values["version"] != _VERSION:
            return None
        return Measured(**{field.name: values[field.name] for field in fields(Measured)})
    except (ValueError, KeyError, TypeError):
        return None
