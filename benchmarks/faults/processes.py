"""Real processes of the command line, forked from this one, which has torch imported, so that each starts at once."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TAG = "FAULT_LIFE"
"""Set in every command's environment, which all processes it starts inherit."""

_CRASHED = 70
_LOOK_EVERY_S, _LAST_WORDS_S = 0.002, 2.0


@dataclass(frozen=True)
class Command:
    """A running ``windtunnel`` command, the leader of a process group of its own.

    Args:
        pid: its process, and its group.
        begun: when, by the monotonic clock.
        writer: writes down what it prints, so that a limit on its own files does not silence it.
    """

    pid: int
    begun: float
    writer: subprocess.Popen[bytes]

    def wait(self, timeout_s: float) -> int | None:
        """Return its exit code, negative for a signal, or None when it has not ended in time."""
        until = time.monotonic() + timeout_s
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._hear_out()
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() >= until:
                return None
            time.sleep(min(_LOOK_EVERY_S, max(until - time.monotonic(), 0.0)))

    def kill(self) -> None:
        """Kill the whole group at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not come to lead a group yet
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._hear_out()

    def _hear_out(self) -> None:
        try:
            self.writer.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:  # a process that it started holds its output still
            self.writer.kill()
            self.writer.wait()


def start(
    words: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    before: Callable[[], None],
) -> Command:
    """Start ``windtunnel WORDS``.

    Args:
        words: what is typed behind ``windtunnel``.
        folder: working directory.
        log: gets what it prints.
        environment: on top of this process's.
        before: called in the new process first.
    """
    sys.stdout.flush()
    output, printed = os.pipe()
    with log.open("ab") as file:
        writer = subprocess.Popen(["cat"], stdin=output, stdout=file)
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _be_the_command(words, folder, printed, environment, before)
    for number in (output, printed):
        os.close(number)
    return Command(pid, begun, writer)


def find_processes(tag: str) -> list[int]:
    """Return the processes that a command with this tag has started and that still run, itself left out."""
    wanted = f"{TAG}={tag}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if wanted in variables and state not in "ZX":
            found.append(int(entry.name))
    return found


def wait_until_gone(tag: str, timeout_s: float) -> list[int]:
    """Return the processes with this tag that are still there after ``timeout_s`` seconds."""
    until = time.monotonic() + timeout_s
    while (left := find_processes(tag)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def kill_all(tag: str) -> None:
    """Kill every process with this tag, as when the machine goes down."""
    for pid in find_processes(tag):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _be_the_command(
    words: Sequence[str], folder: Path, output: int, environment: Mapping[str, str], before: Callable[[], None]
) -> None:
    code = _CRASHED
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.update(environment)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(number, target)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)
        sys.argv = ["windtunnel", *words]
        before()
        code = _run(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(words: Sequence[str]) -> int:
    from windtunnel.cli.main import main

    try:
        main(list(words))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
