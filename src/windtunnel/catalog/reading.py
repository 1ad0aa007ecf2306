"""Reading files that others still write: only what is new, only whole lines, never through a symbolic link."""

import errno
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)


@dataclass
class Meter:
    """Counts what was read.

    Args:
        bytes_read: from files.
        files: files opened.
        listings: folders listed.
        looks: files and folders asked for size and time only.
    """

    bytes_read: int = 0
    files: int = 0
    listings: int = 0
    looks: int = 0

    def stat(self, path: str | Path) -> os.stat_result | None:
        """Return what the system says of ``path`` itself, or None when there is nothing."""
        self.looks += 1
        try:
            return os.lstat(path)
        except OSError:
            return None

    def read(self, path: str | Path, *, offset: int = 0, most: int = -1) -> tuple[bytes, os.stat_result] | None:
        """Return the file's bytes from ``offset`` and its state; None when it is gone, unreadable or a link.

        Args:
            path: the file.
            offset: bytes to leave out; below 0 counts from the end.
            most: bytes to return at most; -1 for all.
        """
        try:
            handle = os.open(path, _FLAGS)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            return None
        try:
            state = os.fstat(handle)
            start = max(state.st_size + offset, 0) if offset < 0 else offset
            content = _read_all(handle, start, state.st_size - start if most < 0 else most)
        except OSError:  # a folder, or taken away on a network file system
            return None
        finally:
            os.close(handle)
        self.files += 1
        self.bytes_read += len(content)
        return content, state

    def read_text(self, path: str | Path) -> str | None:
        """Return the file as text, what is not UTF-8 replaced; None when there is no such file."""
        found = self.read(path)
        return None if found is None else found[0].decode("utf-8", "replace")

    def read_json(self, path: str | Path) -> dict[str, Any] | None:
        """Return the object in a JSON file; None when there is none, or only half of one."""
        found = self.read(path)
        return None if found is None else parse_object(found[0])


def parse_object(text: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object in ``text``, or None when it is damaged or something else.

    >>> parse_object('{"epoch": 1}'), parse_object('{"epo'), parse_object("[1]")
    ({'epoch': 1}, None, None)
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read_all(handle: int, start: int, most: int) -> bytes:
    """Return up to ``most`` bytes; fewer only at the end of the file."""
    content = os.pread(handle, most, start) if most > 0 else b""
    while 0 < len(content) < most and (more := os.pread(handle, most - len(content), start + len(content))):
        content += more
    return content


@dataclass
class Tail:
    """Reads on in a file of lines from where it stopped the last time.

    Args:
        path: the file; it may not be there yet.
        meter: counts what is read.
        offset: bytes read so far, up to the end of a line.
        modified: when the file was last written, seconds since 1970; 0 before it was seen.
        cuts: counts how often the file was cut back or replaced by another one.
    """

    path: Path
    meter: Meter
    offset: int = 0
    modified: float = 0.0
    cuts: int = 0
    _seen: tuple[int, int] = field(default=(0, 0))

    @property
    def generation(self) -> str:
        """A text that changes when the file is cut back or replaced."""
        return f"{self._seen[0]:x}.{self.cuts}"

    def read(self) -> tuple[bool, list[bytes]]:
        """Return whether the file begins anew, and its complete lines since the last time (or since that beginning).

        Half a last line is left for the next time.
        """
        state = self.meter.stat(self.path)
        if state is None or (state.st_ino, state.st_size) == self._seen:
            return False, []
        anew = self._is_another(state)
        if anew:
            self.offset = 0
            self.cuts += 1
        self._seen, self.modified = (state.st_ino, state.st_size), state.st_mtime
        found = self.meter.read(self.path, offset=self.offset)
        whole = b"" if found is None else found[0][: found[0].rfind(b"\n") + 1]
        self.offset += len(whole)
        return anew, whole.splitlines()

    def _is_another(self, state: os.stat_result) -> bool:
        inode, _ = self._seen
        return inode != 0 and (state.st_ino != inode or state.st_size < self.offset)
