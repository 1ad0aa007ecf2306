"""Worker processes: started behind a gate, told apart from later ones with the same id, ended as a group."""

import errno
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import psutil

_GATE = 'read -r line || exit 75; exec "$@" </dev/null'
_GONE_S = 0.02
_STATE_FIELD, _START_FIELD = 0, 19  # of /proc/PID/stat behind the command's name, see proc(5)


class GatedProcess:
    """A process that waits, before it becomes its command, until it is let go.

    Its id can be written down first: if whoever started it dies in between, the gate sees the pipe end and leaves, so
    no worker runs that nobody knows of. It leads a session of its own, so that Ctrl-C and the death of its parent do
    not reach it.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        """Start the gate for ``command``; its output is appended to ``log``."""
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GATE, "windtunnel", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=dict(environment),
            )
        self.pid = self._process.pid
        self.identity = identify(self.pid) or ""

    def release(self) -> None:
        """Let the process become its command."""
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(b"go\n")
            self._process.stdin.close()
        except BrokenPipeError:  # it was killed at the gate, which its exit code will tell
            return

    def exit_code(self) -> int | None:
        """Return its exit code, negative for a signal, or None while it runs."""
        return self._process.poll()


class WorkerProcess(Protocol):
    """A worker's process, held at its gate until it is let go."""

    pid: int
    identity: str

    def release(self) -> None:
        """Let the process begin."""

    def exit_code(self) -> int | None:
        """Return its exit code, negative for a signal, or None while it runs or when nobody can tell any more."""


def identify(pid: int) -> str | None:
    """Return what tells process ``pid`` from a later one with the same id, or None when it does not run.

    On Linux the boot and the start in clock ticks since then, which no change of the clock can alter.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _identify_elsewhere(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE_FIELD] in "ZX" else f"{boot}:{fields[_START_FIELD]}"


def signal_group(pid: int, number: signal.Signals) -> bool:
    """Send a signal to the whole process group ``pid`` leads; return whether there was one."""
    try:
        os.killpg(pid, number)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EPERM):
            return False
        raise
    return True


def wait_for_ends(pids: Iterable[int], timeout_s: float) -> None:
    """Wait until one of the processes has ended, for ``timeout_s`` seconds at most."""
    if not hasattr(os, "pidfd_open"):
        time.sleep(timeout_s)
        return
    with ExitStack() as stack:
        poll = select.poll()
        for pid in pids:
            try:
                number = os.pidfd_open(pid)
            except OSError:  # it has ended and is gone already
                time.sleep(min(timeout_s, _GONE_S))
                return
            stack.callback(os.close, number)
            poll.register(number, select.POLLIN)
        if poll.poll(timeout_s * 1000):
            time.sleep(_GONE_S)  # whoever it belongs to has to hear of it first


def resident_bytes(pid: int) -> int | None:
    """Return the resident memory of process ``pid``, or None when it is gone."""
    statm = Path(f"/proc/{pid}/statm")
    try:
        if statm.exists():
            return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
        return int(psutil.Process(pid).memory_info().rss)
    except (psutil.Error, OSError):
        return None


def _identify_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.1f}"
    except psutil.Error:
        return None
