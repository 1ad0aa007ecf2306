"""What this process holds on a device, as whoever budgets that device counts it."""

import os

from windtunnel.core.memory import resident_peak


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
