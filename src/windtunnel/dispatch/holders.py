"""Which data sets lie on which devices once for all their runs: starting their holders, and what that saves.

A holder is a process of its own (:mod:`windtunnel.data.sharing_holder`), known by its socket: one that answers lives,
whoever started it. Runs of a data set wait until its holders have said whether sharing works, a few seconds once.
"""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from windtunnel.core.files import write_json
from windtunnel.dispatch.devices import EXCLUSIVE, Device, worker_environment
from windtunnel.dispatch.types import Estimate, Job, Outcome

ShareData = Literal["auto", "on", "off"]

_FIELDS = {"source", "split", "train_limit"}
_HOLDER = ("-m", "windtunnel.data.sharing_holder")
_FEWEST_RUNS = 4  # below, the context of a holder costs about what copies would
_LARGEST_SHARE = 0.5
_STARTS = 2
_CONTEXT = 400 * 2**20
_LONGEST_START_S, _END_S = 300.0, 10.0


@dataclass
class _Holder:
    """A data set on a device: its holder, and how that stands (``starting``, ``shared`` or ``refused``)."""

    folder: Path
    device: Device
    data: dict[str, Any]
    held_bytes: int
    stands: str = "starting"
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    since: float = 0.0

    @property
    def address(self) -> Path:
        """The socket, in a folder whose name is short enough for the kernel."""
        name = hashlib.sha256(str(self.folder.absolute()).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"windtunnel-{name}.sock"

    @property
    def state(self) -> Path:
        """The file in which the holder says how it stands."""
        return self.folder / "state.json"

    def read_state(self) -> dict[str, Any]:
        """Return what the holder says; empty before it says anything."""
        try:
            values: dict[str, Any] = json.loads(self.state.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return values

    def answers(self) -> bool:
        """Say whether the holder lives."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.address))
            except OSError:
                return False
        return True


class Holders:
    """Decides for each data set whether its runs share it, and keeps its holders.

    Args:
        folder: where holders' files are kept, ``dispatch/shared`` in the sweep's.
        devices: the devices.
        wanted: ``auto`` shares on GPUs what four runs or more train on, ``on`` everywhere, ``off`` nowhere.
    """

    def __init__(self, folder: Path, devices: Sequence[Device], wanted: ShareData) -> None:
        self._folder = folder
        alone = any(device.sharing == EXCLUSIVE for device in devices)  # a holder would keep every run off
        self._devices = [] if alone else [device for device in devices if _may_share(device, wanted)]
        self._fewest = 1 if wanted == "on" else _FEWEST_RUNS
        self._keys: dict[str, str] = {}
        self._holders: dict[str, dict[str, _Holder]] = {}

    def settle(self, jobs: Iterable[Job], prices: dict[str, Estimate]) -> set[str]:
        """Start the holders that ``jobs`` want and return the ids of those jobs that have to wait for a verdict."""
        if not self._devices:
            return set()
        wanting = {job.id: job for job in jobs if job.id in prices and job.experiment.data.placement != "streaming"}
        counts = Counter(map(self._key, wanting.values()))
        waiting = set()
        for job in wanting.values():
            key = self._key(job)
            if key not in self._holders and counts[key] >= self._fewest:
                self._begin(key, job, prices[job.id])
            if any(holder.stands == "starting" for holder in self._holders.get(key, {}).values()):
                waiting.add(job.id)
        return waiting

    def reduce(self, job: Job, price: Estimate) -> Estimate:
        """Return ``price`` without the images where a holder has them; on the CPU every process counts them."""
        if not self._is_shared(job) or self._devices[0].kind == "cpu":
            return price
        images = price.parts.get("data", 0)
        return replace(price, bytes=price.bytes - images, parts=price.parts | {"data": 0})

    def as_if_copied(self, job: Job, outcome: Outcome, price: Estimate | None) -> Outcome:
        """Return ``outcome`` with the peak a copy of the images would have made; estimates start from there."""
        if price is None or outcome.peak_bytes is None or self.reduce(job, price) == price:
            return outcome
        return replace(outcome, peak_bytes=outcome.peak_bytes + price.parts.get("data", 0))

    def address(self, job: Job, device: Device) -> str:
        """Return where the job's worker asks for its images on ``device``; empty when it makes a copy."""
        return str(self._holders[self._key(job)][device.name].address) if self._is_shared(job) else ""

    def has_lost(self, job: Job) -> bool:
        """Say whether a holder of the job's images is gone, and if so begin another one."""
        lost = [holder for holder in self._of(job) if holder.stands == "shared" and not holder.answers()]
        for holder in lost:
            self._start(holder)
        return bool(lost)

    def bytes_on(self, device: Device) -> int:
        """Return the bytes that holders take on ``device``."""
        holders = [holders[device.name] for holders in self._holders.values() if device.name in holders]
        return sum(holder.held_bytes for holder in holders if holder.stands != "refused")

    def poll(self) -> list[str]:
        """Look at the holders that start and return in words what has been decided."""
        return [said for holders in self._holders.values() for holder in holders.values() if (said := _look(holder))]

    def give_up(self) -> bool:
        """End every holder and copy from now on; return whether there was one."""
        every = [holder for holders in self._holders.values() for holder in holders.values()]
        held = [holder for holder in every if holder.stands != "refused"]
        for holder in held:
            holder.stands = "refused"
            _end(holder)
        return bool(held)

    def _begin(self, key: str, job: Job, price: Estimate) -> None:
        holders = {}
        for device in self._devices:
            on_gpu = device.kind == "cuda"
            size = price.parts.get("data", 0) + (price.parts.get("context", _CONTEXT) if on_gpu else 0)
            data = job.experiment.data.model_dump(mode="json")
            holder = _Holder(self._folder / f"{key}-{device.name.replace(':', '-')}", device, data, size)
            holders[device.name] = holder
            if on_gpu and price.bytes + size > device.total_bytes * _LARGEST_SHARE:
                holder.stands = "refused"
            elif not (holder.read_state().get("verdict") == "shared" and holder.answers()):
                self._start(holder)
        self._holders[key] = holders

    def _start(self, holder: _Holder) -> None:
        holder.starts += 1
        if holder.starts > _STARTS:
            holder.stands = "refused"
            return
        holder.stands, holder.since = "starting", time.monotonic()
        holder.folder.mkdir(parents=True, exist_ok=True)
        holder.state.unlink(missing_ok=True)
        order = {
            "data": holder.data,
            "device": holder.device.kind,
            "address": str(holder.address),
            "state": str(holder.state.absolute()),
        }
        write_json(holder.folder / "order.json", order)
        with (holder.folder / "log.txt").open("ab") as log:
            holder.process = subprocess.Popen(
                [sys.executable, *_HOLDER, str((holder.folder / "order.json").absolute())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=worker_environment(holder.device, holder.device.threads),
            )

    def _is_shared(self, job: Job) -> bool:
        holders = self._of(job)
        return bool(holders) and all(holder.stands == "shared" for holder in holders)

    def _of(self, job: Job) -> list[_Holder]:
        return list(self._holders.get(self._key(job), {}).values()) if self._devices else []

    def _key(self, job: Job) -> str:
        """Return what tells the job's images from others'."""
        if job.id not in self._keys:
            text = json.dumps(job.experiment.data.model_dump(mode="json", include=_FIELDS), sort_keys=True)
            self._keys[job.id] = hashlib.sha256(text.encode()).hexdigest()[:12]
        return self._keys[job.id]


def _may_share(device: Device, wanted: ShareData) -> bool:
    return wanted == "on" or (wanted == "auto" and device.kind == "cuda")


def _look(holder: _Holder) -> str:
    """Take over the verdict of a holder that starts; return it in words once it is there."""
    if holder.stands != "starting":
        return ""
    state = holder.read_state()
    ended = holder.process is None or holder.process.poll() is not None
    late = time.monotonic() - holder.since > _LONGEST_START_S
    if not (state or ended or late):
        return ""
    holder.stands = "shared" if state.get("verdict") == "shared" and holder.answers() else "refused"
    where = f"the images on {holder.device.name}"
    if holder.stands == "shared":
        return f"{where} are shared by all runs (process {state['pid']})"
    _end(holder)
    reason = state.get("reason") or f"their holder ended or did not answer, see {holder.folder / 'log.txt'}"
    return f"{where} are copied by every run: {reason}"


def _end(holder: _Holder) -> None:
    """End the holder, also one that an earlier dispatcher started."""
    if holder.process is not None:
        holder.process.terminate()
        try:
            holder.process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            holder.process.kill()
            holder.process.wait()
    elif holder.answers():
        os.kill(holder.read_state()["pid"], signal.SIGTERM)
