"""A process that has torch imported and forks workers: ``python -m windtunnel.dispatch.fork_server SOCKET_NUMBER``.

Importing torch and what a run needs besides takes seconds of a core for every run. This process does it once, and each
worker is a fork of it: a process of its own all the same, leader of a session, with its own memory. A fork is safe only
of a process with one thread and without a CUDA context, so it says at the start whether it is one. It ends with whoever
started it; the workers go on.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from windtunnel.core.files import lacks_space
from windtunnel.core.secrets import print_failure
from windtunnel.dispatch.order import GATE_CLOSED_EXIT, STORAGE_EXIT, Order
from windtunnel.dispatch.worker import flush_log, listen_for_stack_requests, run_order

PRELOADED = (
    "torch",
    "torch._dynamo",  # which the first optimizer imports
    "windtunnel.training.run",
    "windtunnel.track.console",
    "windtunnel.augment.numba_backend.renderer",
    "matplotlib.backends.backend_agg",
    "rich.console",
)
_LONGEST_REQUEST = 1 << 16


class ForkServer:
    """Forks a worker for every request and tells when one has ended.

    Args:
        connection: to the dispatcher: requests come in, process ids and exit codes go out.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._workers: set[int] = set()

    def run(self) -> None:
        """Serve until the dispatcher is gone."""
        threads = len(os.listdir("/proc/self/task"))
        self._tell({"threads": threads})
        if threads > 1:
            return
        gc.collect()
        gc.freeze()  # a collection in a worker would touch, and so copy, every page of what was imported
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            alarm = _wake_at_child_ends()
            selector.register(alarm, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._connection in ready and not self._answer():
                    return
                if alarm in ready:
                    alarm.recv(4096)
                self._reap()

    def _answer(self) -> bool:
        """Fork a worker for the next request; return False when nobody asks any more."""
        text, files, _, _ = socket.recv_fds(self._connection, _LONGEST_REQUEST, 1)
        if not text:
            return False
        request = json.loads(text)
        pid = os.fork()
        if pid == 0:
            self._connection.close()
            _become_worker(Path(request["order"]), Path(request["log"]), files[0])
        os.close(files[0])
        self._workers.add(pid)
        self._tell({"pid": pid})
        return True

    def _reap(self) -> None:
        for pid in list(self._workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._workers.discard(pid)
                self._tell({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, what: dict[str, int]) -> None:
        try:
            self._connection.send(json.dumps(what).encode())
        except OSError:  # the dispatcher is gone, which the next read tells
            return


def _wake_at_child_ends() -> socket.socket:
    """Return a socket that can be read from once a child has ended."""
    receiver, sender = socket.socketpair()
    sender.setblocking(False)

    def wake(number: int, frame: FrameType | None) -> None:
        """The byte that the signal writes is what wakes."""

    signal.signal(signal.SIGCHLD, wake)
    signal.set_wakeup_fd(sender.detach())
    return receiver


def _become_worker(order: Path, log: Path, gate: int) -> NoReturn:
    """Wait at the gate, carry out the order and end, without going through the server's own clean-up."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with log.open("ab") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        code = GATE_CLOSED_EXIT
        if os.read(gate, 1):
            code = 1
            sys.argv = ["windtunnel.dispatch.worker", str(order)]
            listen_for_stack_requests()
            code = run_order(Order.read(order))
    except Exception as error:  # whatever it is, it must not run on into the server's own code
        print_failure()
        code = STORAGE_EXIT if lacks_space(error, log.parent) else 1
    finally:
        flush_log()
        os._exit(code)


def main() -> None:
    """Serve over the socket whose number is the only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in PRELOADED:
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(module)
    ForkServer(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
