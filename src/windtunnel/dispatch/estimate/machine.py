"""Which device estimates are for, and its name, without torch."""

import math
import os
import platform
from pathlib import Path

from windtunnel.dispatch.cgroups import read_core_limit
from windtunnel.dispatch.gpus import list_gpus
from windtunnel.errors import UsageError


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
    limit = read_core_limit()
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
