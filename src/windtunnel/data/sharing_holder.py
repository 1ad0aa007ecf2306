"""The process that holds a data set on a device for others: ``python -m windtunnel.data.sharing_holder ORDER.json``.

It loads the images, lets a child open them and check every byte, says in a file whether that worked, and serves
readers until none has been there for a while. Whoever started it may be gone by then; a reader's end, by SIGKILL too,
is the end of its connection. ``python -m windtunnel.data.sharing_holder ORDER.json --check`` is that child.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch

from windtunnel.config.data import DataConfig
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import write_json
from windtunnel.data.open import OpenedData, open_data
from windtunnel.data.sharing import PARTS, SharingError, hold_part, open_shared, pack

_LOOK_S = 0.2
_CHECK_S = 120.0


@dataclass(frozen=True)
class HolderOrder:
    """What a holder is to do.

    Args:
        data: the ``data`` field of an experiment, as a tree.
        device: where to hold its images.
        address: path of the socket; at most 107 bytes, as the kernel wants it.
        state: path of the file it says in how it stands.
        linger_s: seconds without a reader after which it ends.
    """

    data: dict[str, Any]
    device: str
    address: str
    state: str
    linger_s: float = 60.0

    def write(self, path: Path) -> None:
        """Write the order to ``path``."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the order at ``path``."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def open(self) -> tuple[OpenedData, torch.device]:
        """Return the data and the device."""
        return open_data(validate_tree(DataConfig, self.data, "data")), torch.device(self.device)


class Holder:
    """Owns the memory and serves its readers.

    Args:
        order: what to hold, and where.
        path: where ``order`` is written.
    """

    def __init__(self, order: HolderOrder, path: Path) -> None:
        self._order = order
        self._path = path
        self._readers = selectors.DefaultSelector()
        self._last_seen = time.monotonic()
        self._stopped = False

    def run(self) -> None:
        """Hold the images until nobody has read them for a while, or SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._data, self._device = self._order.open()
        named = {name: getattr(self._data, name) for name in PARTS}
        self._parts = {name: hold_part(part, self._device) for name, part in named.items() if part is not None}
        with self._listen() as listener:
            self._readers.register(listener, selectors.EVENT_READ)
            trouble = self._find_trouble()
            self._say("refused" if trouble else "shared", trouble)
            while not (trouble or self._stopped or self._is_deserted()):
                self._serve()
        Path(self._order.address).unlink(missing_ok=True)

    def _listen(self) -> socket.socket:
        Path(self._order.address).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self._order.address)
        os.chmod(self._order.address, 0o600)
        listener.listen(64)
        return listener

    def _find_trouble(self) -> str:
        """Let a child open the images, check them and close them; return what was wrong, or ``""``."""
        command = [sys.executable, "-m", "windtunnel.data.sharing_holder", str(self._path), "--check"]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + _CHECK_S
        while child.poll() is None and time.monotonic() < until and not self._stopped:
            self._serve()
        child.kill()
        said = child.communicate()[1].strip().splitlines()
        return "" if child.returncode == 0 else f"the self-test failed: {said[-1] if said else child.returncode}"

    def _serve(self) -> None:
        """Answer who asks, and take note of who has gone."""
        for key, _ in self._readers.select(timeout=_LOOK_S):
            connection: Any = key.fileobj
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                self._welcome(connection.accept()[0])
            else:
                self._readers.unregister(connection)
                connection.close()
        if len(self._readers.get_map()) > 1:
            self._last_seen = time.monotonic()

    def _welcome(self, reader: socket.socket) -> None:
        message = pack(self._parts, self._data, self._device)
        try:
            socket.send_fds(reader, [message.text], message.files)
        except OSError:  # it is gone already
            reader.close()
            return
        self._readers.register(reader, selectors.EVENT_READ)

    def _is_deserted(self) -> bool:
        return time.monotonic() - self._last_seen > self._order.linger_s

    def _say(self, verdict: str, reason: str) -> None:
        write_json(Path(self._order.state), {"pid": os.getpid(), "verdict": verdict, "reason": reason})

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


def check(order: HolderOrder) -> None:
    """Open what the holder has, check every byte and close it again.

    Raises:
        SharingError: it cannot be used.
    """
    open_shared(Path(order.address), *order.open())


def main() -> None:
    """Hold, or check, what the order whose path is the first argument says."""
    path = Path(sys.argv[1])
    if sys.argv[2:] == ["--check"]:
        try:
            check(HolderOrder.read(path))
        except SharingError as error:
            sys.exit(str(error))
    else:
        Holder(HolderOrder.read(path), path).run()


if __name__ == "__main__":
    main()
