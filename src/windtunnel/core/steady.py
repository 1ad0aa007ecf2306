"""A clock for what is written down: the time of day, but one that nobody sets back."""

import time

_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's own counts on while the machine sleeps


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
