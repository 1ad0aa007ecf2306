"""A trial's process: started, asked to stop when we are, and told when we are gone."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from windtunnel.core.files import lacks_space
from windtunnel.core.secrets import print_failure
from windtunnel.dispatch.order import STORAGE_EXIT
from windtunnel.errors import RunError
from windtunnel.training.interruption import EXIT_CODES, Interruption

_LOOK_EVERY_S = 0.2
_STOPPED = {code: number for number, exit_code in EXIT_CODES.items() for code in (exit_code, -number)}


class Interrupted(RunError):
    """Ctrl-C or SIGTERM stopped the trials; what was done is kept."""

    def __init__(self, number: signal.Signals) -> None:
        self.exit_code = EXIT_CODES[number]
        super().__init__(
            f"stopped by {number.name}; give the same command again to go on: finished trials are kept, and the one "
            "under way goes on from its last checkpoint"
        )


def launch(module: str, order: Path, log: Path, interruption: Interruption) -> int:
    """Do the ordered trial in a process of its own and return its exit code.

    Args:
        module: what is run, with ``order`` as its argument.
        order: the trial's file.
        log: gets what the trial prints.
        interruption: when it has a signal the trial is asked to stop and waited for.

    Raises:
        Interrupted: we, or the trial alone, were told to stop.
        RunError: the trial found the disk full or read-only.
    """
    command = [sys.executable, "-m", module, str(order)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
        with process:
            code = _wait(process, interruption)
    if interruption.signal is not None or code in _STOPPED:
        raise Interrupted(interruption.signal or _STOPPED[code])
    if code == STORAGE_EXIT:
        raise RunError(
            f"a trial found the disk full or read-only; free some space in {order.parent.parent} or make it writable, "
            "then give the same command again: finished trials are kept, and the one under way goes on"
        )
    return code


def _wait(process: subprocess.Popen[bytes], interruption: Interruption) -> int:
    asked = False
    while True:
        if interruption.signal is not None and not asked:
            process.terminate()
            asked = True
        try:
            return process.wait(timeout=_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def telling_of_the_disk() -> Iterator[None]:
    """End this process with ``STORAGE_EXIT`` where the block finds the disk full or read-only.

    At once, since its log may be on that disk too: what cannot be written at the end would change the exit code.
    """
    try:
        yield
    except Exception as error:  # whatever it is, the disk may be behind it
        if not lacks_space(error):
            raise
        with suppress(OSError):
            print_failure()
        os._exit(STORAGE_EXIT)


def stop_with_parent() -> None:
    """Let this process be told to stop as soon as the one that started it is gone, whatever ended that one.

    The parent holds the other end of our standard input and never writes: its end is the parent's.
    """

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
