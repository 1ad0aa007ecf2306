"""What a container or a batch system lets this process use: Linux's control groups, versions 2 and 1.

A container sees its own group at the top. A job of Slurm or a systemd scope lies deeper, where ``/proc/self/cgroup``
says; every group above it limits it too. Anywhere else nothing is limited.
"""

import math
from collections.abc import Iterator
from pathlib import Path

_TOP, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
UNLIMITED = 2**60
"""Bytes that stand for no limit."""


def read_memory_limit() -> int:
    """Return the bytes of memory that this process and those beside it in its group may hold together."""
    return min((limit for _, limit in _memory_groups()), default=UNLIMITED)


def read_free_memory() -> int:
    """Return what may still be taken; page cache that the kernel would give up counts as free."""
    return min((_free_in(group, limit) for group, limit in _memory_groups()), default=UNLIMITED)


def read_core_limit() -> float:
    """Return how many cores' time may be spent: a host with 64 may give a container that of 2."""
    return min((limit for group in _groups("cpu") if (limit := _core_limit(group)) is not None), default=math.inf)


def _groups(controller: str) -> Iterator[Path]:
    """Yield this process's group and those above it, of both versions."""
    tops = {_TOP: "/", _TOP / controller: "/"}
    for line in _OWN.read_text(encoding="utf-8").splitlines() if _OWN.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            tops[_TOP] = path
        elif controller in controllers.split(","):
            tops[_TOP / controller] = path
    for top, path in tops.items():
        own = top / path.lstrip("/")
        yield from (group for group in (own, *own.parents) if group == top or top in group.parents)


def _memory_groups() -> Iterator[tuple[Path, int]]:
    for group in _groups("memory"):
        limit = _read_number(group / "memory.max", group / "memory.limit_in_bytes")
        if limit is not None and limit < UNLIMITED:
            yield group, limit


def _free_in(group: Path, limit: int) -> int:
    used = _read_number(group / "memory.current", group / "memory.usage_in_bytes") or 0
    return max(limit - used + _read_cache(group / "memory.stat"), 0)


def _read_cache(path: Path) -> int:
    try:
        entries = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
    except OSError:
        return 0
    return int(entries.get("total_inactive_file", entries.get("inactive_file", 0)))


def _core_limit(group: Path) -> float | None:
    try:
        if (group / "cpu.max").exists():
            spend, every = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            spend, every = ((group / name).read_text(encoding="ascii").strip() for name in names)
    except OSError:
        return None
    return int(spend) / int(every) if spend.isdecimal() else None  # max, and -1, are no limit


def _read_number(*paths: Path) -> int | None:
    for path in paths:
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() else None
    return None
