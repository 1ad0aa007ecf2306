"""Ctrl-C and SIGTERM as a request that the run reads between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interruption:
    """Holds the first signal that asked the run to stop."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def request(self, number: int, frame: FrameType | None) -> None:
        """Note the signal; a second Ctrl-C stops at once."""
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)


@contextmanager
def listen_for_signals() -> Iterator[Interruption]:
    """Yield an interruption that Ctrl-C and SIGTERM set; only the main thread can listen, others never see one."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.request) for number in EXIT_CODES}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
