"""What this process holds on a device, as whoever budgets that device counts it."""

import os

from windtunnel.core.memory import resident_peak
from windtunnel.dispatch.gpus import list_gpus, read_memory


def read_used(device: str) -> int:
    """Return the bytes that all processes together hold on a GPU; 0 on the CPU. CUDA is not touched."""
    if not device.startswith("cuda"):
        return 0
    total, free = read_memory(_find_uuid(device))
    return total - free


def held_besides_tensors(device: str, used_before: int | None = None) -> int | None:
    """Return what this process holds on ``device`` besides tensors: on the CPU all that is resident.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        used_before: what :func:`read_used` told before this process had a context. Where a container hides processes
            from their own driver, what has been taken since then counts, others' included; without it None is returned.
    """
    if not device.startswith("cuda"):
        return resident_peak()
    import torch

    held = _read_own(device)
    if not held and used_before is None:
        return None
    held = held or read_used(device) - (used_before or 0)
    return max(held - torch.cuda.memory_reserved(_index_of(device)), 0)


def _read_own(device: str) -> int:
    """Return what the driver says this process holds, 0 where it does not tell or NVML is not there at all."""
    import pynvml

    try:
        pynvml.nvmlInit()  # not shut down again: it counts, and this process has other use of it
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(pynvml.nvmlDeviceGetHandleByUUID(_find_uuid(device)))
    except (pynvml.NVMLError, IndexError):
        return 0
    return sum(int(each.usedGpuMemory) for each in processes if each.pid == os.getpid() and each.usedGpuMemory)


def _find_uuid(device: str) -> str:
    return list_gpus()[_index_of(device)].uuid


def _index_of(device: str) -> int:
    return int(device.partition(":")[2] or 0)
