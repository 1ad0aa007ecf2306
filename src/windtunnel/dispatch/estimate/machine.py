"""Which device estimates are for, and its name, without torch."""

import math
import os
import platform
from pathlib import Path

from windtunnel.dispatch.gpus import list_gpus
from windtunnel.errors import UsageError

_CGROUPS = Path("/sys/fs/cgroup")
_CPU_LIMITS = ("cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")  # of cgroups, version 2 and 1


def device_kind(device: str) -> str:
    """Return ``cpu`` or ``cuda`` for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: it is none of these.
    """
    if device == "auto":
        return "cuda" if _gpu_names() else "cpu"
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"device: {device!r} is not auto, cpu, cuda or cuda:N")
    return kind


def describe_machine(device: str) -> str:
    """Return the name that measurements on ``device`` are kept under."""
    if device_kind(device) == "cpu":
        return f"cpu: {_processor()}, {count_cores()} cores"
    names, index = _gpu_names(), int(device.partition(":")[2] or 0)
    return f"cuda: {names[index]}" if index < len(names) else "cuda: none on this machine"


def count_cores() -> int:
    """Return the CPU cores this process may use, by its affinity and by its container's limit on CPU time."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = _cgroup_cores()
    return max(math.ceil(limit), 1) if limit < own else own


def has_gpu() -> bool:
    """Say whether this machine has a GPU that the driver names."""
    return bool(_gpu_names())


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _gpu_names() -> list[str]:
    return [gpu.name for gpu in list_gpus()]


def _cgroup_cores() -> float:
    """Return how many cores' time the container may spend: a host with 64 may give it that of 2."""
    current, quota, period = (_CGROUPS / name for name in _CPU_LIMITS)
    try:
        if current.exists():
            spend, every = current.read_text(encoding="ascii").split()
        else:
            spend, every = (path.read_text(encoding="ascii").strip() for path in (quota, period))
    except (OSError, ValueError):
        return math.inf
    return int(spend) / int(every) if spend.isdecimal() and int(spend) else math.inf
