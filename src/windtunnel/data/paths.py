"""Where data sets lie; the one place that reads the environment for it, at call time."""

import os
from pathlib import Path

from windtunnel.core.places import cache_root, user_path


def data_dir() -> Path | None:
    """Return ``$WINDTUNNEL_DATA_DIR``, the user's folder of data sets, or None when it is unset."""
    named = os.environ.get("WINDTUNNEL_DATA_DIR", "")
    return user_path(named) if named else None


def download_dir() -> Path:
    """Return the folder ``windtunnel data fetch`` writes to; the named sets are looked for there.

    ``$WINDTUNNEL_DATA_DIR``, or ``downloads`` in the cache where that is unset or cannot be written.
    """
    named = data_dir()
    return named if named is not None and _is_writable(named) else _cached_downloads()


def search_places(name: str, aliases: tuple[str, ...] = ()) -> list[Path]:
    """Return the folders a named set may lie in, in the order they are tried.

    Args:
        name: the set, e.g. ``cifar10``.
        aliases: other names its folder or archive goes by, e.g. ``cifar-10-batches-py``.
    """
    roots = [root for root in (data_dir(), _cached_downloads()) if root is not None]
    return [root / folder for root in roots for folder in (name, *aliases)]


def _cached_downloads() -> Path:
    return cache_root() / "downloads"


def _is_writable(folder: Path) -> bool:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK)
