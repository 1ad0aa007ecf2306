"""The devices of this machine, what each may hold and what is free on it, other people's processes included."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import pynvml

from windtunnel.core.mps import describe_gpu_sharing
from windtunnel.core.units import format_bytes
from windtunnel.errors import UsageError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_KEPT_FREE = 0.1
_UNLIMITED = 2**60


@dataclass(frozen=True)
class Device:
    """A device that runs are placed on.

    Args:
        name: ``cpu`` or ``cuda:N``, as users write it.
        kind: ``cpu`` or ``cuda``.
        total_bytes: memory its runs may hold together.
        threads: CPU threads of each run; fixed, since the number may change a result's last bits.
        cores: CPU cores that runs on the CPU share.
        uuid: what CUDA_VISIBLE_DEVICES takes; empty for the CPU.
        max_runs: runs it carries at most, whatever fits; None for any number.
        sharing: how processes share it: ``MPS`` at the same time, ``time slices`` by turns; empty for the CPU.
    """

    name: str
    kind: Literal["cpu", "cuda"]
    total_bytes: int
    threads: int = 1
    cores: int = 1
    uuid: str = ""
    max_runs: int | None = None
    sharing: str = ""


def find_devices(*, memory: int | None = None, cores: int | None = None, threads: int = 1) -> list[Device]:
    """Return the GPUs of this machine that CUDA_VISIBLE_DEVICES allows, or the CPU where there are none.

    Args:
        memory: bytes that runs may hold on each device; None takes nine tenths of it.
        cores: CPU cores to use; None for those this process may use.
        threads: CPU threads of each run.

    Raises:
        UsageError: the machine has less, or a number is not positive.
    """
    for name, value in (("memory", memory), ("cores", cores), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{name}: {value} is not above 0")
    return _find_gpus(memory, threads) or [cpu_device(memory=memory, cores=cores, threads=threads)]


def cpu_device(*, memory: int | None = None, cores: int | None = None, threads: int = 1) -> Device:
    """Return the CPU as a device.

    Raises:
        UsageError: ``memory`` is more than the machine has.
    """
    total = min(psutil.virtual_memory().total, _cgroup_limit())
    if memory is not None and memory > total:
        raise UsageError(f"memory: {format_bytes(memory)} is more than the {format_bytes(total)} of this machine")
    return Device("cpu", "cpu", memory or int(total * (1 - _KEPT_FREE)), threads, cores or _own_cores())


def free_bytes(device: Device) -> int:
    """Return what is free on ``device`` now, whoever holds the rest."""
    if device.kind == "cpu":
        return min(int(psutil.virtual_memory().available), _cgroup_free())
    pynvml.nvmlInit()  # counted by NVML and not shut down again: asked twice a second, starting it anew would cost
    memory = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByUUID(device.uuid))
    return min(int(memory.free), device.total_bytes)


def worker_environment(device: Device, threads: int) -> dict[str, str]:
    """Return the environment of a worker on ``device``: the one GPU it may see and its share of threads."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    return {**os.environ, **counts, "CUDA_VISIBLE_DEVICES": device.uuid, "PYTHONUNBUFFERED": "1"}


def parse_bytes(text: str) -> int:
    """Return a size that a user wrote.

    >>> parse_bytes("8GB"), parse_bytes("1.5 GiB"), parse_bytes("512MiB")
    (8000000000, 1610612736, 536870912)

    Raises:
        UsageError: it is no size above 0.
    """
    found = _SIZE.fullmatch(text)
    if found is None or found[2].upper() not in _UNITS or float(found[1]) == 0:
        raise UsageError(f"memory: {text!r} is no size above 0; write for example 8GB, 1.5GiB or 512MiB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _find_gpus(memory: int | None, threads: int) -> list[Device]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        uuids = [_as_text(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        visible = _visible(uuids, os.environ.get("CUDA_VISIBLE_DEVICES"))
        return [_gpu(number, handles[uuids.index(uuid)], uuid, memory, threads) for number, uuid in enumerate(visible)]
    finally:
        pynvml.nvmlShutdown()


def _gpu(number: int, handle: object, uuid: str, memory: int | None, threads: int) -> Device:
    total = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    if memory is not None and memory > total:
        raise UsageError(f"memory: {format_bytes(memory)} is more than the {format_bytes(total)} of cuda:{number}")
    kept = memory or int(total * (1 - _KEPT_FREE))
    return Device(f"cuda:{number}", "cuda", kept, threads, uuid=uuid, sharing=describe_gpu_sharing())


def _visible(uuids: list[str], setting: str | None) -> list[str]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES names by index or UUID; it ends at the first that is not there."""
    if setting is None:
        return uuids
    chosen: list[str] = []
    for word in (part.strip() for part in setting.split(",")):
        known = word.isdecimal() and int(word) < len(uuids)
        found = [uuids[int(word)]] if known else [uuid for uuid in uuids if word and uuid.startswith(word)]
        if len(found) != 1:
            break
        chosen += found
    return chosen


def _as_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _own_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cgroup_limit() -> int:
    return _read_number("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes") or _UNLIMITED


def _cgroup_free() -> int:
    """Return what the container may still take; page cache that the kernel would give up counts as free."""
    limit = _cgroup_limit()
    used = _read_number("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
    if limit >= _UNLIMITED or used is None:
        return _UNLIMITED
    return max(limit - used + _cgroup_cache(), 0)


def _cgroup_cache() -> int:
    for path in (Path("/sys/fs/cgroup/memory.stat"), Path("/sys/fs/cgroup/memory/memory.stat")):
        if path.exists():
            entries = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
            return int(entries.get("inactive_file", 0))
    return 0


def _read_number(*paths: str) -> int | None:
    for path in map(Path, paths):
        if path.exists():
            text = path.read_text(encoding="ascii").strip()
            return int(text) if text.isdecimal() else None
    return None
