"""What this process holds on a device, as whoever budgets that device counts it."""

import os
import resource
import sys
from pathlib import Path


def resident_peak() -> int:
    """Return the most memory this process has had resident, bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def held_besides_tensors(device: str) -> int:
    """Return what this process holds on ``device`` besides tensors: on the CPU all that is resident."""
    if not device.startswith("cuda"):
        return resident_peak()
    import torch

    index = torch.device(device).index or 0
    return max(_held_on_gpu(index) - torch.cuda.memory_reserved(index), 0)


def _held_on_gpu(index: int) -> int:
    """Return what the driver says this process holds, or all that is in use where a container hides the processes."""
    import pynvml
    import torch

    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(index).uuid}")
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        own = [each.usedGpuMemory for each in processes if each.pid == os.getpid() and each.usedGpuMemory]
        return int(own[0]) if own else int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
    finally:
        pynvml.nvmlShutdown()
