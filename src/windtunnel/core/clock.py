"""Clocks that wait for the device, so that a time is the time of the work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from windtunnel.core.device import synchronize


@dataclass
class Stopwatch:
    """Adds up wall-clock seconds over named phases, synchronising the device at both ends."""

    device: torch.device
    seconds: dict[str, float]

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Add the time of the block to ``phase``."""
        synchronize(self.device)
        start = time.perf_counter()
        try:
            yield
        finally:
            synchronize(self.device)
            self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start
