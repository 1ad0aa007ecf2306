"""Where a part's images lie while they are used: on the device, or on the disk they are streamed from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import torch

from windtunnel.core.units import format_bytes

PlacementMode = Literal["resident", "streaming"]

# The other half is for the network, its activations and everything else on the machine.
_LARGEST_SHARE = 0.5
_CGROUP = Path("/sys/fs/cgroup")


class Sharing(NamedTuple):
    """Whether images lie on the device already, held by another process, and in words what came of asking for them."""

    is_shared: bool = False
    said: str = ""


NOT_SHARED = Sharing()


@dataclass(frozen=True)
class Placement:
    """Where images lie, and why.

    Args:
        mode: ``resident`` on the training device, or ``streaming`` from the memory map.
        reason: why, with the figures it was decided by.
    """

    mode: PlacementMode
    reason: str

    def __str__(self) -> str:
        return f"images {self.mode} ({self.reason})"


def choose_placement(
    wanted: Literal["auto", "resident", "streaming"],
    num_bytes: int,
    device: torch.device,
    *,
    sharing: Sharing = NOT_SHARED,
) -> Placement:
    """Return where ``num_bytes`` of images lie; ``auto`` is resident when they take at most half of what is free.

    Args:
        wanted: what the experiment says.
        num_bytes: bytes of the images.
        device: where they are trained on.
        sharing: whether they lie there already, which ``auto`` makes use of.
    """
    free = measure_free_memory(device)
    figures = ", ".join(filter(None, [format_bytes(num_bytes), f"{format_bytes(free)} free on {device}", sharing.said]))
    if wanted != "auto":
        return Placement(wanted, f"as data.placement says; {figures}")
    fits = sharing.is_shared or num_bytes <= free * _LARGEST_SHARE
    return Placement("resident" if fits else "streaming", figures)


def measure_free_memory(device: torch.device) -> int:
    """Return the bytes that can be had on ``device`` now; on a CPU within the limit of this process's container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    limited = _container_free(_CGROUP)
    available = int(psutil.virtual_memory().available)
    return available if limited is None else min(available, limited)


def _container_free(cgroup: Path) -> int | None:
    """Return what a container's memory limit (cgroup v2) leaves, cached files counted as free; None without a limit."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        stats = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return None if limit == "max" else max(0, int(limit) - used + int(stats["file"]))
    except (OSError, ValueError, KeyError):
        return None
