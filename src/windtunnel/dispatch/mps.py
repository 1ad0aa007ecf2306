"""Starting NVIDIA's MPS daemon for one sweep, when the user asks for it, and stopping it again.

The daemon gets a folder of its own, so that nobody else's daemon is touched, and the folder's name is kept beside the
journal: a dispatcher that comes back finds the daemon its workers still use. Not run on a GPU yet.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from windtunnel.core import mps
from windtunnel.core.files import write_text
from windtunnel.dispatch.settings import DispatchInterrupted, StorageError
from windtunnel.errors import UsageError

_KEPT = "mps.txt"
_START_S = 30.0


@contextmanager
def run_daemon(folder: Path) -> Iterator[None]:
    """Have a daemon for the block, which this process's workers find by their environment.

    A daemon that the environment already names is used and left running.

    Args:
        folder: the dispatcher's folder.

    Raises:
        UsageError: MPS is not installed, or its daemon does not come up.
    """
    if mps.answers():
        yield
        return
    if shutil.which(mps.CONTROL) is None:
        raise UsageError(f"--mps: there is no {mps.CONTROL} on the PATH; it comes with the driver; or leave --mps out")
    place = _find_place(folder)
    before = {name: os.environ.get(name) for name in (mps.PIPE_VARIABLE, mps.LOG_VARIABLE)}
    os.environ |= {mps.PIPE_VARIABLE: str(place), mps.LOG_VARIABLE: str(place)}
    try:
        if not mps.answers():
            _start(place)
        try:
            yield
        except (DispatchInterrupted, StorageError):  # its workers have ended; any other error may have left some
            _stop(place)
            raise
        _stop(place)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _stop(place: Path) -> None:
    mps.ask("quit")
    shutil.rmtree(place, ignore_errors=True)


def _find_place(folder: Path) -> Path:
    """Return the folder of the sweep's daemon, which is short, as its sockets' names have to be."""
    kept = folder / _KEPT
    if kept.exists() and (place := Path(kept.read_text(encoding="utf-8"))).is_dir():
        return place
    place = Path(tempfile.mkdtemp(prefix="windtunnel-mps-"))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(kept, str(place))
    return place


def _start(place: Path) -> None:
    said = place / "start.txt"
    with said.open("w", encoding="utf-8") as output:  # a pipe would not end before the daemon does, which inherits it
        finished = subprocess.run(
            [mps.CONTROL, "-d"], stdout=output, stderr=output, check=False, timeout=_START_S, stdin=subprocess.DEVNULL
        )
    if finished.returncode or not mps.answers():
        why = said.read_text(encoding="utf-8", errors="replace").strip() or f"exit code {finished.returncode}"
        raise UsageError(f"--mps: the MPS daemon did not start: {why}; start it yourself, or leave --mps out")
