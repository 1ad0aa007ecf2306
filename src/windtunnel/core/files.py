"""Writing files so that a reader, or a crash at any moment, never sees half of one.

A disk that is full, read-only or not ours shows as an ``OSError`` that names the file meant; :func:`find_remedy` says
what to do about it.
"""

import errno
import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_SUFFIX = ".tmp"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "that place is read-only, make it writable or choose another",
    errno.EACCES: "you may not write there, change its permissions or choose another place",
    errno.EPERM: "you may not write there, change its permissions or choose another place",
    errno.EIO: "the disk failed, choose another",
}


def find_remedy(error: OSError) -> str | None:
    """Return what to do where a place did not let itself be written, or None for any other error.

    >>> find_remedy(OSError(28, "No space left on device"))
    'free some space there'
    """
    return _REMEDIES.get(error.errno or 0)


def lacks_space(error: BaseException | None, written: Path | None = None) -> bool:
    """Say whether a full or read-only disk is behind ``error``, or behind what it was raised from.

    Args:
        error: what was raised.
        written: a folder that is written to, of which nothing may be forbidden either; elsewhere that concerns one
            file, such as data that cannot be read.
    """
    while error is not None:
        if isinstance(error, OSError) and (error.errno in _NO_SPACE or _is_forbidden(error, written)):
            return True
        error = error.__cause__
    return False


def _is_forbidden(error: OSError, folder: Path | None) -> bool:
    if folder is None or not isinstance(error, PermissionError) or not isinstance(error.filename, str | os.PathLike):
        return False
    return Path(error.filename).absolute().is_relative_to(folder.absolute())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed to disk and renamed into place.

    A failure, a full disk included, removes the temporary file and leaves ``path`` as it was. A kill may leave the
    temporary file, see :func:`remove_leftovers`.

    Raises:
        OSError: names ``path``, not the temporary file.
    """
    with _naming(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _flush(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            _flush(path.parent)
        finally:
            with suppress(OSError):  # a disk that has just become read-only keeps it; what went wrong first is told
                temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``: all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON to ``path``: all of it or nothing. NaN and infinity become null."""
    write_text(path, json.dumps(strip_nonfinite(value), indent=2, allow_nan=False) + "\n")


def append_bytes(path: Path, data: bytes) -> None:
    """Append ``data`` to ``path``: all of it or, where the disk is full, nothing. For one writer at a time."""
    with _naming(path):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            append_to(handle, data, path)
        finally:
            os.close(handle)


def append_to(handle: int, data: bytes, path: Path) -> None:
    """Append ``data`` to the open file ``handle`` at ``path``, as :func:`append_bytes` does."""
    size = os.fstat(handle).st_size
    with _naming(path):
        try:
            while data:  # a disk that is nearly full takes a part, and only then refuses
                data = data[os.write(handle, data) :]
        except OSError:
            os.ftruncate(handle, size)
            raise


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that a killed process left incomplete; it never counted."""
    if not path.exists():
        return
    content = path.read_bytes()
    complete = content.rfind(b"\n") + 1
    if complete < len(content):
        os.truncate(path, complete)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left of files they were about to put into place; for whoever alone writes there."""
    for left in folder.glob(f".*{_SUFFIX}"):
        left.unlink(missing_ok=True)


def strip_nonfinite(value: Any) -> Any:
    """Return ``value`` with NaN and infinity, which JSON cannot say, as None.

    >>> strip_nonfinite({"loss": float("nan"), "steps": [1, 2.5]})
    {'loss': None, 'steps': [1, 2.5]}
    """
    if isinstance(value, dict):
        return {key: strip_nonfinite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strip_nonfinite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error of the block name ``path`` where it names nothing or the temporary file beside it."""
    try:
        yield
    except OSError as error:
        unnamed = error.filename is None or Path(str(error.filename)).name.startswith(f".{path.name}.")
        if error.errno is None or not unnamed:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
