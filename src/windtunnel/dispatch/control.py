"""Wishes from another shell: an append-only file that the dispatcher reads on."""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from windtunnel.core.files import append_to
from windtunnel.dispatch.journal import Event


@dataclass(frozen=True)
class Wish:
    """What a user asks of a running or a future dispatcher.

    Args:
        command: ``pause`` and ``resume`` mean the queue, the others one job.
        job: id of the job meant; empty for the queue.
        value: the new priority.
    """

    command: Literal["pause", "resume", "cancel", "priority"]
    job: str = ""
    value: int = 0


def send_wish(path: Path, wish: Wish) -> None:
    """Append ``wish`` to the control file; two shells may do so at once."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        append_to(file.fileno(), json.dumps(asdict(wish)).encode() + b"\n", path)
        os.fsync(file.fileno())


def read_wishes(path: Path, offset: int) -> list[Event]:
    """Return the wishes behind ``offset``, each with the offset behind it; half a last line waits for its rest."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        offset += len(line) + 1
        with suppress(ValueError):  # what is left of a wish that found the disk full
            events.append({**json.loads(line), "offset": offset})
    return events
