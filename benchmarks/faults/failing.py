"""A disk that fails from its n-th write on: full, read-only or forbidden; inside the processes that are told so.

Python tells an audit hook of every file that it is about to open and of every folder or file that it is about to make,
move or remove. What changes a given folder is counted, and from the n-th change on

- ``full``: no file grows beyond a few bytes any more (``RLIMIT_FSIZE``, which the kernel holds for all code alike), so
  that a write is cut short first and refused then, and no folder is made;
- ``readonly``, ``denied``: every change is refused.

As :class:`Failing` in a process, or in a command and all its children by ``environment`` and the ``sitecustomize.py``
in ``shim/``.
"""

import errno
import functools
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

Kind = Literal["full", "readonly", "denied"]
KINDS: tuple[Kind, ...] = ("full", "readonly", "denied")
LEFT_BYTES = 20

_ERRORS = {"full": errno.ENOSPC, "readonly": errno.EROFS, "denied": errno.EACCES}
_CHANGES = {"os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.link": 2}
_SHIM = Path(__file__).parent / "shim"


class Failing:
    """A block in which ``folder`` fails from change number ``at`` on.

    Args:
        folder: what lies in it fails; other places do so too once the disk is ``full``.
        kind: how.
        at: number of the first change that fails, from 1.
        mark: a file to be made once something has failed, outside ``folder``; None for none.
    """

    def __init__(self, folder: Path, kind: Kind, at: int = 1, *, mark: Path | None = None) -> None:
        self.kind, self.at = kind, at
        self.changes = 0
        self._mark = mark
        self._folder = os.path.realpath(folder)
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    @property
    def has_failed(self) -> bool:
        """Whether there were enough changes to make one fail."""
        return self.changes >= self.at

    def begin(self) -> None:
        """Let the disk fail from here on, without an end."""
        _listeners().append(self._hear)

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        _listeners().remove(self._hear)
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    def _hear(self, event: str, words: tuple[object, ...]) -> None:
        if not self._is_change(event, words):
            return
        self.changes += 1
        if not self.has_failed:
            return
        if self._mark is not None:
            self._mark.touch()
        if self.kind == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (LEFT_BYTES, self._limits[1]))
        if self.kind != "full" or event == "os.mkdir":
            number = _ERRORS[self.kind]
            raise OSError(number, os.strerror(number), str(words[0]))

    def _is_change(self, event: str, words: tuple[object, ...]) -> bool:
        if event == "open":
            flags = words[2]
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            return bool(writes) and self._holds(words[0])
        return event in _CHANGES and any(self._holds(path) for path in words[: _CHANGES[event]])

    def _holds(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        whole = os.path.abspath(os.fsdecode(path))
        return whole == self._folder or whole.startswith(self._folder + os.sep)


@functools.cache
def _listeners() -> list[Callable[[str, tuple[object, ...]], None]]:
    """Return whom this process's one audit hook tells: none is ever taken away again, and each slows what follows."""
    told: list[Callable[[str, tuple[object, ...]], None]] = []

    def tell(event: str, words: tuple[object, ...]) -> None:
        for listener in told:
            listener(event, words)

    sys.addaudithook(tell)
    return told


def environment(folder: Path, kind: Kind, at: int, mark: Path) -> dict[str, str]:
    """Return what a command is to have in its environment so that in each of its processes the disk fails.

    Args:
        folder: see :class:`Failing`.
        kind: likewise.
        at: number of the first change that fails, counted in each process for itself.
        mark: a file that comes to be as soon as something has failed.
    """
    paths = os.pathsep.join(path for path in (str(_SHIM), os.environ.get("PYTHONPATH", "")) if path)
    told = {"FOLDER": str(folder), "KIND": kind, "AT": str(at), "MARK": str(mark)}
    return {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | {f"FAULT_{name}": it for name, it in told.items()}


def fail_as_told(told: Mapping[str, str]) -> None:
    """Let this process's disk fail as :func:`environment` says, to its end."""
    kind = next(kind for kind in KINDS if kind == told["FAULT_KIND"])
    Failing(Path(told["FAULT_FOLDER"]), kind, int(told["FAULT_AT"]), mark=Path(told["FAULT_MARK"])).begin()
