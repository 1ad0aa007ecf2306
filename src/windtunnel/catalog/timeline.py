"""What ran where and when in a sweep, from its dispatcher's journal and those of machines that joined.

>>> timeline = read_timeline(Path("runs/quickstart/quickstart_sweep"))  # doctest: +SKIP
>>> [(device.name, len(device.spans)) for device in timeline.devices]  # doctest: +SKIP
[('cpu', 8)]
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.catalog.journal import JournalReader
from windtunnel.catalog.reading import Meter, Tail
from windtunnel.dispatch.accounts import compute_share
from windtunnel.dispatch.bounds import Bound, lower_bound
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.forecast import make_task, typical_seconds
from windtunnel.dispatch.journal import Event, is_held
from windtunnel.dispatch.look import look_at
from windtunnel.dispatch.order import read_heartbeat
from windtunnel.dispatch.packing import DeviceLoad
from windtunnel.dispatch.processes import identify
from windtunnel.dispatch.state import RunState
from windtunnel.dispatch.types import Estimate
from windtunnel.errors import WindtunnelError


@dataclass(frozen=True)
class Span:
    """One worker's time on a device.

    Args:
        job: the run's id; its folder is ``runs/<job>`` in the sweep's.
        attempt: counts the run's workers.
        start: seconds since 1970.
        end: likewise; None while it runs.
        reserved_bytes: memory set aside for it.
        measured_bytes: most it was seen to hold; None when never seen.
        status: how the run ended with it, why it went back into the queue (``crash``, ``memory``, ``interrupted``,
            ``lost``, ``stopped``), or ``running``.
    """

    job: str
    attempt: int
    start: float
    end: float | None
    reserved_bytes: int
    measured_bytes: int | None
    status: str


@dataclass(frozen=True)
class MemorySteps:
    """Memory on a device over time; each value holds from its time to the next.

    Args:
        time: seconds since 1970.
        predicted: bytes set aside for the runs there.
        measured: the most that those runs were seen to hold, added up, bytes.
    """

    time: tuple[float, ...]
    predicted: tuple[int, ...]
    measured: tuple[int, ...]


@dataclass(frozen=True)
class DeviceLane:
    """A device and what ran on it.

    Args:
        name: its name, behind its machine's where machines joined.
        total_bytes: memory its runs may hold.
        spans: in the order they began.
        memory: memory over time.
    """

    name: str
    total_bytes: int
    spans: tuple[Span, ...]
    memory: MemorySteps


@dataclass(frozen=True)
class QueueSteps:
    """How many runs waited and ran over time; each value holds from its time to the next."""

    time: tuple[float, ...]
    waiting: tuple[int, ...]
    running: tuple[int, ...]


@dataclass(frozen=True)
class Timeline:
    """A sweep's runs on its devices.

    Args:
        opened: when a dispatcher first worked on it, seconds since 1970.
        now: until when this is told: now while a dispatcher is at work, else the last thing that happened.
        devices: in the order they were first used.
        queue: the queue over time.
        bound: no schedule of these runs on these devices is shorter, as far as their estimates are true; None where
            nothing is known of their durations.
        remaining: seconds until everything known is done, as a range; None when nothing is left or known.
        paused: whether the queue is paused.
    """

    opened: float
    now: float
    devices: tuple[DeviceLane, ...]
    queue: QueueSteps
    bound: Bound | None
    remaining: tuple[float, float] | None
    paused: bool

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was opened."""
        return self.now - self.opened


def read_timeline(folder: Path, *, threads: int | None = None) -> Timeline | None:
    """Return the timeline of the sweep in ``folder``, or None when no dispatcher ever worked on it.

    Args:
        folder: the sweep's folder.
        threads: CPU threads of each run where the experiment sets them; None for what the dispatcher gave.
    """
    meter = Meter()
    own = JournalReader(Tail(folder / "dispatch" / "journal.jsonl", meter))
    own.refresh()
    return TimelineReader(folder, own, meter).read(threads=threads)


@dataclass
class TimelineReader:
    """Makes the timeline of one sweep, again and again, from journals that are only read on.

    Args:
        folder: the sweep's folder.
        own: its journal, read on by whoever gave it.
        meter: counts what is read.
    """

    folder: Path
    own: JournalReader
    meter: Meter
    _joined: dict[str, JournalReader] = field(default_factory=dict)

    def read(self, *, threads: int | None = None) -> Timeline | None:
        """Return the timeline as it is now; see :func:`read_timeline`."""
        self._read_joined()
        books = [_Book("", self.folder, self.own), *self._joined_books()]
        if not self.own.events:
            return None
        at_work = is_held(self.folder / "dispatch")
        last = max(book.last_time for book in books)
        now = max(time.time(), last) if at_work else last  # a clock that was set back lies before what has happened
        lanes = tuple(lane for book in books for lane in book.lanes(now))
        return Timeline(
            opened=self.own.events[0]["time"],
            now=now,
            devices=lanes,
            queue=_count_queue(books),
            bound=_find_bound(books, threads),
            remaining=_find_remaining(self.folder) if at_work else None,
            paused=self.own.state.paused,
        )

    def _read_joined(self) -> None:
        workers = self.folder / "dispatch" / "pool" / "workers"
        if self.meter.stat(workers) is None:
            return
        for path in sorted(path for path in workers.iterdir() if path.is_dir()):
            journal = path / "dispatch" / "journal.jsonl"
            self._joined.setdefault(path.name, JournalReader(Tail(journal, self.meter))).refresh()

    def _joined_books(self) -> list["_Book"]:
        workers = self.folder / "dispatch" / "pool" / "workers"
        return [_Book(name, workers / name, reader) for name, reader in self._joined.items() if reader.events]


@dataclass(frozen=True)
class _Book:
    """One dispatcher's journal and where its files are."""

    name: str
    folder: Path
    journal: JournalReader

    @property
    def last_time(self) -> float:
        return max((event["time"] for event in self.journal.events), default=0.0)

    @property
    def devices(self) -> dict[str, Device]:
        """Every device it ever had, by its name there."""
        opened = [event for event in self.journal.events if event["event"] == "opened"]
        return {device["name"]: Device(**device) for event in opened for device in event["devices"]}

    def lanes(self, now: float) -> Iterator[DeviceLane]:
        spans: dict[str, list[Span]] = {name: [] for name in self.devices}
        for device, span in self._spans():
            spans.setdefault(device, []).append(span)
        for name, on_it in spans.items():
            total = self.devices[name].total_bytes if name in self.devices else 0
            on_it.sort(key=lambda span: span.start)
            yield DeviceLane(f"{self.name} {name}".strip(), total, tuple(on_it), _add_memory(on_it, now))

    def _spans(self) -> Iterator[tuple[str, Span]]:
        begun: dict[str, Event] = {}
        for event in self.journal.events:
            kind = event["event"]
            if kind == "admitted":
                begun[event["job"]] = event
            elif kind in ("requeued", "ended") and (start := begun.pop(event["job"], None)):
                status = event["status"] if kind == "ended" else event["cause"]
                yield start["device"], _make_span(start, event["time"], event["peak_bytes"], status)
        held = bool(begun) and is_held(self.folder / "dispatch")
        for start in begun.values():
            yield start["device"], self._open_span(start, held)

    def _open_span(self, start: Event, held: bool) -> Span:
        """Return the span of a worker whose end nobody wrote down: it runs, or went down with its dispatcher."""
        path = self.folder / "dispatch" / "jobs" / start["job"] / "heartbeat.json"
        beat, beaten_at = read_heartbeat(path), self._written_at(path)
        peak = beat.peak_bytes if beat and beat.attempt == start["attempt"] else None
        if held or identify(start["pid"]) == start["identity"]:
            return _make_span(start, None, peak, "running")
        return _make_span(start, max(start["time"], beaten_at), peak, "lost")

    def _written_at(self, path: Path) -> float:
        state = self.journal.tail.meter.stat(path)
        return state.st_mtime if state else 0.0


def _make_span(start: Event, end: float | None, peak: int | None, status: str) -> Span:
    return Span(
        job=start["job"],
        attempt=start["attempt"],
        start=start["time"],
        end=end,
        reserved_bytes=start["reserved_bytes"],
        measured_bytes=peak or None,
        status=status,
    )


def _add_memory(spans: Sequence[Span], now: float) -> MemorySteps:
    changes: dict[float, tuple[int, int]] = {}
    for span in spans:
        for at, sign in ((span.start, 1), (span.end, -1)):
            if at is not None:
                predicted, measured = changes.get(at, (0, 0))
                changes[at] = (
                    predicted + sign * span.reserved_bytes,
                    measured + sign * (span.measured_bytes or 0),
                )
    times, predicted_now, measured_now = [], [0], [0]
    for at in sorted(changes):
        times.append(at)
        predicted_now.append(predicted_now[-1] + changes[at][0])
        measured_now.append(measured_now[-1] + changes[at][1])
    if times and now > times[-1]:
        times.append(now)
        predicted_now.append(predicted_now[-1])
        measured_now.append(measured_now[-1])
    return MemorySteps(tuple(times), tuple(predicted_now[1:]), tuple(measured_now[1:]))


def _count_queue(books: Sequence[_Book]) -> QueueSteps:
    """Follow every run through all journals: the sweep's own says what is wanted, any of them what has a worker."""
    events = [(event["time"], index, event) for index, book in enumerate(books) for event in book.journal.events]
    places: dict[str, str] = {}
    holders: dict[str, int] = {}
    counts: Counter[str] = Counter()
    steps: dict[float, tuple[int, int]] = {}
    for at, index, event in sorted(events, key=lambda entry: entry[:2]):
        for job, place in _moves(event, index):
            left = place in ("waiting", "ended") and event["event"] != "taken"
            if left and index and holders.get(job) != index:
                continue  # a machine that lost the run to another one
            counts[places.get(job, "")] -= 1
            counts[place] += 1
            places[job], holders[job] = place, index
        steps[at] = (counts["waiting"], counts["running"])
    changed = [at for at, before in zip(steps, [None, *steps.values()], strict=False) if steps[at] != before]
    return QueueSteps(tuple(changed), tuple(steps[at][0] for at in changed), tuple(steps[at][1] for at in changed))


def _moves(event: Event, index: int) -> list[tuple[str, str]]:
    """Return which runs an event puts where; what a joined machine takes has been waiting already."""
    kind = event["event"]
    if kind == "taken":
        return [] if index else [(job["id"], "waiting") for job in event["jobs"]]
    place = {"admitted": "running", "requeued": "waiting", "ended": "ended"}.get(kind)
    return [] if place is None else [(event["job"], place)]


def _find_bound(books: Sequence[_Book], threads: int | None) -> Bound | None:
    devices = [(book, device) for book in books for device in book.devices.values()]
    priced = _merge_estimates(books)
    if not devices or not any(estimate.seconds is not None for estimate in priced.values()):
        return None
    typical, device = typical_seconds(priced.values()), devices[0][1]
    tasks = [
        make_task(job, estimate, typical, compute=compute_share(threads or device.threads, device, estimate))
        for job, estimate in priced.items()
    ]
    loads = [
        DeviceLoad(f"{book.name} {each.name}".strip(), each.total_bytes, each.total_bytes) for book, each in devices
    ]
    return lower_bound(tasks, loads)


def _merge_estimates(books: Sequence[_Book]) -> dict[str, Estimate]:
    """Return what every run was expected to need; one whose duration nobody knew, what it took."""
    priced: dict[str, Estimate] = {}
    for book in books:
        for run in book.journal.state.runs.values():
            if run.estimate:
                values: dict[str, Any] = dict(run.estimate)
                if values.get("seconds") is None:
                    values["seconds"] = _seconds_taken(run)
                priced[run.id] = Estimate(**values)
    return priced


def _seconds_taken(run: RunState) -> float | None:
    phases: Mapping[str, float] = (run.outcome.summary.get("seconds") if run.outcome else None) or {}
    return sum(phases.values()) or None


def _find_remaining(folder: Path) -> tuple[float, float] | None:
    try:
        return look_at(folder).remaining
    except (WindtunnelError, OSError, LookupError, TypeError, ValueError):  # a file that is gone, or half there
        return None
