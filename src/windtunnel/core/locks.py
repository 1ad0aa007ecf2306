"""Locks on open files, which the kernel drops however a process ends."""

import fcntl
import time
from typing import IO

_TRIES, _BETWEEN_TRIES_S = 5, 0.05


def try_to_lock(file: IO[str]) -> bool:
    """Return whether the lock on ``file`` was had; tried again for a moment, since who only looks holds it too."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return True
    return False
