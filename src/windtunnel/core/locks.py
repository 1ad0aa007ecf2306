"""Locks on open files, which the kernel drops however a process ends."""

import fcntl
import os
import time
from pathlib import Path
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


def is_locked(path: Path) -> bool:
    """Say whether a process holds the lock on ``path``; one that asks for it in this very moment would be turned away.

    No lock, a link in its place, and a file system without locks count as free.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False
