"""A clock for what is written down: the time of day, but one that nobody sets back."""

import os
import time
from pathlib import Path

import psutil

_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's own counts on while the machine sleeps
_START_FIELD = 19  # of /proc/PID/stat behind the command's name, in clock ticks since the boot, see proc(5)


class SteadyClock:
    """Seconds since 1970 that only ever grow: the clock's when this is made, and from then on what truly passes.

    Differences of its times are durations, whatever somebody does to the machine's clock meanwhile.

    Args:
        not_before: the first time it may tell, e.g. the last one an earlier process wrote down.
    """

    def __init__(self, not_before: float = 0.0) -> None:
        self._ahead = max(time.time(), not_before) - time.clock_gettime(_SINCE_BOOT)

    def now(self) -> float:
        """Return the time, seconds since 1970."""
        return self._ahead + time.clock_gettime(_SINCE_BOOT)


def read_process_age() -> float:
    """Return how long ago this process was started, seconds; on Linux whatever was done to the clock since."""
    try:
        stat = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return time.time() - psutil.Process().create_time()
    ticks = int(stat.rpartition(")")[2].split()[_START_FIELD])
    return time.clock_gettime(_SINCE_BOOT) - ticks / os.sysconf("SC_CLK_TCK")
