"""The devices of this machine, what each may hold and what is free on it, other people's processes included."""

import os
import re
from dataclasses import dataclass, replace
from typing import Literal, Self

import psutil
import pynvml

from windtunnel.core.mps import describe_gpu_sharing
from windtunnel.core.units import format_bytes
from windtunnel.dispatch.cgroups import read_free_memory, read_memory_limit
from windtunnel.dispatch.estimate.machine import count_cores
from windtunnel.dispatch.gpus import Gpu, list_gpus, read_memory
from windtunnel.errors import UsageError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_KEPT_FREE = 0.1

EXCLUSIVE = "one process"
"""How a GPU is shared whose driver lets one process at a time onto it (compute mode EXCLUSIVE_PROCESS)."""


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
        sharing: how processes share it: ``MPS`` at the same time, ``time slices`` by turns, :data:`EXCLUSIVE` not at
            all; empty for the CPU.
    """

    name: str
    kind: Literal["cpu", "cuda"]
    total_bytes: int
    threads: int = 1
    cores: int = 1
    uuid: str = ""
    max_runs: int | None = None
    sharing: str = ""

    def limited_to(self, runs: int | None) -> Self:
        """Return the device with at most so many runs, or with as many as before for None or where those are fewer."""
        return replace(
            self, max_runs=min((limit for limit in (runs, self.max_runs) if limit is not None), default=None)
        )


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
    gpus = [_gpu(number, gpu, memory, threads) for number, gpu in enumerate(list_gpus())]
    return gpus or [cpu_device(memory=memory, cores=cores, threads=threads)]


def cpu_device(*, memory: int | None = None, cores: int | None = None, threads: int = 1) -> Device:
    """Return the CPU as a device.

    Raises:
        UsageError: ``memory`` is more than the machine has.
    """
    total = min(psutil.virtual_memory().total, read_memory_limit())
    if memory is not None and memory > total:
        raise UsageError(f"memory: {format_bytes(memory)} is more than the {format_bytes(total)} of this machine")
    return Device("cpu", "cpu", memory or int(total * (1 - _KEPT_FREE)), threads, cores or count_cores())


def free_bytes(device: Device) -> int:
    """Return what is free on ``device`` now, whoever holds the rest."""
    if device.kind == "cpu":
        return min(int(psutil.virtual_memory().available), read_free_memory())
    try:
        return min(read_memory(device.uuid)[1], device.total_bytes)
    except pynvml.NVMLError:  # it has fallen off the bus: nothing more is started there, what runs there will crash
        return 0


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


def _gpu(number: int, gpu: Gpu, memory: int | None, threads: int) -> Device:
    total = _gpu_memory(number, gpu)
    if memory is not None and memory > total:
        raise UsageError(f"memory: {format_bytes(memory)} is more than the {format_bytes(total)} of cuda:{number}")
    kept = memory or int(total * (1 - _KEPT_FREE))
    sharing = describe_gpu_sharing()
    if gpu.is_exclusive and sharing != "MPS":  # a second process would be turned away, under MPS its server is the one
        return Device(f"cuda:{number}", "cuda", kept, threads, uuid=gpu.uuid, max_runs=1, sharing=EXCLUSIVE)
    return Device(f"cuda:{number}", "cuda", kept, threads, uuid=gpu.uuid, sharing=sharing)


def _gpu_memory(number: int, gpu: Gpu) -> int:
    try:
        return read_memory(gpu.uuid)[0]
    except pynvml.NVMLError as error:
        raise UsageError(
            f"the driver does not tell how much memory cuda:{number} ({gpu.name}) has ({error}), so runs cannot be "
            "packed on it; use --device cpu, or hide it by CUDA_VISIBLE_DEVICES"
        ) from error
