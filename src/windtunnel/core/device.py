"""Device, number format and host allocator of a run."""

import ctypes
import os
import platform
from dataclasses import dataclass
from typing import Literal

import torch

from windtunnel.errors import UsageError

# glibc's mallopt names, from malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER_TRIM = 2**31 - 1

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Return the torch device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: the name is not one of these, or this machine has no such device.

    """
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (index and not index.isdecimal()):
        raise UsageError(f"runtime.device: {name!r} is not auto, cpu, cuda or cuda:N")
    present = torch.cuda.device_count()
    if int(index or 0) >= present:
        raise UsageError(f"runtime.device: this machine has {present} CUDA devices, so no {name!r}; use cpu or auto")
    return torch.device("cuda", int(index or 0))


def synchronize(device: torch.device) -> None:
    """Wait until ``device`` has finished what was queued, so that a clock read is true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def describe_device(device: torch.device) -> str:
    """Return the device's name for people, e.g. ``cpu (2 threads, AMD EPYC)``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' if threads > 1 else ''}, {_cpu_model()})"


@dataclass(frozen=True)
class AllocatorState:
    """What was done to the host allocator, for ``env.json``."""

    state: Literal["tuned", "off", "unsupported"]
    reason: str


def tune_host_allocator(wanted: bool) -> AllocatorState:
    """Make glibc keep freed memory, so that a step does not fault its gigabytes in again.

    glibc hands every large block back to the kernel when it is freed. Without mmap and trimming, an epoch in batches
    of 1,024 was 1.4 times as fast (``benchmarks/step.py``, docs/results.md). Process-wide; peak memory rises.
    """
    if not wanted:
        return AllocatorState("off", "runtime.tune_allocator is false")
    if platform.libc_ver()[0] != "glibc":
        return AllocatorState("unsupported", "not glibc")
    if any(name.startswith("MALLOC_") for name in os.environ):
        return AllocatorState("off", "MALLOC_* is set in the environment, which decides")
    mallopt = ctypes.CDLL(None).mallopt
    if not (mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM)):
        return AllocatorState("unsupported", "mallopt refused")
    return AllocatorState("tuned", "mallopt M_MMAP_MAX=0, M_TRIM_THRESHOLD=2**31-1")


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.machine()
