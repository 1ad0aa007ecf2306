"""Workers that are forked from a process that has torch imported: the dispatcher's side of it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from windtunnel.dispatch.devices import Device, worker_environment
from windtunnel.dispatch.processes import identify

ForkCommand = Callable[[int], list[str]]
"""Makes the command of a fork server from the number of its socket."""

StartName = Literal["auto", "fork", "spawn"]

_ANSWER_S = 60.0
_LONGEST = 1 << 12


def fork_server_command(number: int) -> list[str]:
    """Return the command of the fork server that talks over the socket ``number``."""
    return [sys.executable, "-m", "windtunnel.dispatch.fork_server", str(number)]


def choose_fork(devices: Sequence[Device], start: StartName = "auto") -> ForkCommand | None:
    """Return how workers on ``devices`` are forked, or None where each is started anew.

    ``auto`` forks on Linux's CPU; on a GPU forking has not been tried.
    """
    usual = sys.platform == "linux" and all(device.kind == "cpu" for device in devices)
    return fork_server_command if start == "fork" or (start == "auto" and usual) else None


class ForkError(Exception):
    """The fork server cannot fork; why is its text."""


class ForkServers:
    """One fork server a device, each with that device's environment, since a fork inherits what torch made of it.

    Args:
        command: makes a server's command.
        folder: where servers' logs are kept.
    """

    def __init__(self, command: ForkCommand, folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._servers: dict[str, _Server] = {}

    def prepare(self, device: Device) -> None:
        """Start the device's server, so that it has imported everything by the time it is needed."""
        if device.name not in self._servers:
            log = self._folder / f"fork-{device.name.replace(':', '-')}.txt"
            self._servers[device.name] = _Server(self._command, device, log)

    def are_ready(self) -> bool:
        """Say whether every server that was prepared has come up, or failed to."""
        return all(server.has_come_up() for server in self._servers.values())

    def start(self, device: Device, order: Path, log: Path) -> "ForkedProcess":
        """Return a worker at its gate.

        Raises:
            ForkError: the server cannot fork, or is gone.
        """
        self.prepare(device)
        return self._servers[device.name].fork(order, log)

    def close(self) -> None:
        """Let the servers end; workers go on."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()


class ForkedProcess:
    """A fork that waits at its gate until it is let go; when nobody lets it go, it leaves.

    Args:
        server: whose child it is, and who hears of its end.
        pid: its process id.
        gate: what it waits to read a byte from.
    """

    def __init__(self, server: "_Server", pid: int, gate: int) -> None:
        self.pid = pid
        self.identity = identify(pid) or ""
        self._server = server
        self._gate: int | None = gate

    def release(self) -> None:
        """Let the process begin its work."""
        if self._gate is None:
            return
        try:
            os.write(self._gate, b"g")
        except BrokenPipeError:  # it was killed at the gate, which its exit code will tell
            pass
        os.close(self._gate)
        self._gate = None

    def exit_code(self) -> int | None:
        """Return its exit code, negative for a signal, or None while it runs or where its server died before it."""
        return self._server.exit_code(self.pid)


class _Server:
    def __init__(self, command: ForkCommand, device: Device, log: Path) -> None:
        self._codes: dict[int, int] = {}
        self._threads: int | None = None
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(
                command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
                env=worker_environment(device, device.threads),
            )
        self._log = log

    def fork(self, order: Path, log: Path) -> ForkedProcess:
        self._wait_until_ready()
        request = json.dumps({"order": str(order), "log": str(log.absolute())}).encode()
        ours, gate = None, None
        gate, ours = os.pipe()
        try:
            socket.send_fds(self._connection, [request], [gate])
            while "pid" not in (said := self._hear(_ANSWER_S)):
                pass
        except OSError as error:
            os.close(ours)
            raise ForkError(f"it is gone ({error}), see {self._log}") from error
        finally:
            os.close(gate)
        self._codes.pop(said["pid"], None)  # of an earlier worker that had the same process id
        return ForkedProcess(self, said["pid"], ours)

    def exit_code(self, pid: int) -> int | None:
        self._catch_up()
        return self._codes.get(pid)

    def has_come_up(self) -> bool:
        self._catch_up()
        return self._threads is not None or self._process.poll() is not None

    def _catch_up(self) -> None:
        try:
            while self._hear(0.0):
                pass
        except OSError:  # nothing new, or it is gone
            return

    def close(self) -> None:
        self._catch_up()
        self._connection.close()
        if self._threads is None:  # still importing, with no worker yet
            self._process.terminate()
        self._process.wait()

    def _wait_until_ready(self) -> None:
        try:
            while self._threads is None:
                self._hear(_ANSWER_S)
        except OSError as error:
            raise ForkError(f"it did not come up ({error}), see {self._log}") from error
        if self._threads > 1:
            raise ForkError(f"it has {self._threads} threads, and a fork would have one of them")

    def _hear(self, timeout_s: float) -> dict[str, Any]:
        """Take note of the next thing the server says and return it.

        Raises:
            OSError: nothing came in time, or the server is gone.
        """
        self._connection.settimeout(timeout_s)
        text = self._connection.recv(_LONGEST)
        if not text:
            raise ConnectionResetError("its connection ended")
        said: dict[str, Any] = json.loads(text)
        if "ended" in said:
            self._codes[said["ended"]] = said["code"]
        self._threads = said.get("threads", self._threads)
        return said
