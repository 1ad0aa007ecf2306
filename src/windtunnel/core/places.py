"""Where things that can be made again are kept, and whether the network may be used; read at call time."""

import os
from pathlib import Path

from windtunnel.errors import UsageError

_OFFLINE_SWITCHES = ("WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE")
_OFF = {"", "0", "false", "no", "off"}


def cache_root() -> Path:
    """Return the folder of everything that can be made again: ``$XDG_CACHE_HOME/windtunnel``.

    ``~/.cache/windtunnel`` where the variable is unset, empty or not an absolute path.

    Raises:
        UsageError: neither the variable nor the user's account names a place.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named / "windtunnel"
    try:
        return Path.home() / ".cache" / "windtunnel"
    except RuntimeError as error:  # a user that the system does not know, as containers run programs
        raise UsageError(f"{error}; set HOME, or XDG_CACHE_HOME to a folder that can be written") from error


def user_path(text: str) -> Path:
    """Return the path a user wrote, with ``~`` as their home.

    Raises:
        UsageError: no file system takes it, or it names a user without a home.
    """
    try:
        path = Path(text).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{text[:80]!r} cannot be a path: {error}") from error
    if "\0" in text:
        raise UsageError(f"{text[:80]!r} cannot be a path: it holds a zero byte")
    return path


def folder_name(path: Path) -> str:
    """Return the last part of ``path``, also of ``.`` and ``..``, which have no name of their own."""
    return os.path.basename(os.path.abspath(path))


def name_place(path: Path) -> str:
    """Return ``path`` as an error names it: a relative one with where it starts, since a run may go on elsewhere."""
    return str(path) if path.is_absolute() else f"{path} (from {Path.cwd()})"


def offline_switch() -> str | None:
    """Return which of ``WINDTUNNEL_OFFLINE`` and ``HF_HUB_OFFLINE`` forbids the network, or None."""
    return next((name for name in _OFFLINE_SWITCHES if os.environ.get(name, "").strip().lower() not in _OFF), None)
