"""How much memory this process has held; without torch unless a GPU is asked for."""

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def resident_peak() -> int:
    """Return the most memory this process has had resident, bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the process was forked from as well
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak_memory(device: "torch.device") -> int:
    """Return the most memory this process has held on ``device``, bytes: reserved on a GPU, resident on the CPU."""
    if device.type != "cuda":
        return resident_peak()
    import torch

    return int(torch.cuda.max_memory_reserved(device))
