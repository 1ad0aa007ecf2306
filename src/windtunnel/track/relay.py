"""Passing a run's reports on to a tracker in another process, whatever that tracker does.

Packages that track runs start threads and servers, wait for networks and hook into the end of the process. So each
lives in a process of its own (:mod:`windtunnel.track.carrier`), fed through a bounded queue by a thread that training
never waits for. Only the end of a run waits, and not for long.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.track.choice import Choice, Tracking, record_choice
from windtunnel.track.description import describe_end, describe_epoch, describe_run

# Epochs that may wait for a tracker that is slow; the oldest go first.
CAPACITY = 1000
_PATIENCE_S = 2.0


class Said(NamedTuple):
    """Something a person should read: where a run can be seen, or that a tracker does not work."""

    kind: Literal["note", "warning"]
    text: str


Say = Callable[[Said], None]


class Relay:
    """One tracker of one run."""

    def __init__(self, choice: Choice, say: Say, *, capacity: int = CAPACITY) -> None:
        self._choice = choice
        self._say = say
        self._capacity = capacity
        self._queue: deque[dict[str, Any]] = deque()
        self._changed = threading.Condition()
        self._unsaid: deque[Said] = deque()
        self._warned: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: tuple[threading.Thread, ...] = ()
        self._log = Path()
        self._summary: Mapping[str, Any] = {"status": "crashed"}
        self._is_ending = False

    def start(self, info: RunInfo) -> None:
        """Start the tracker's process and tell it of the run."""
        record = record_choice(self._choice, Path(info.folder))
        self._log = record.with_suffix(".log")
        run = vars(describe_run(info, record))
        self._put({"event": "start", **run, "folder": info.folder, "record": str(record)})
        try:
            self._process = _start_carrier(self._choice, self._log)
        except OSError as error:
            self._warn("failed", f"does not start: {error}")
            return
        self._threads = tuple(
            threading.Thread(target=work, name=f"{self._choice.name}-{work.__name__}", daemon=True)
            for work in (self._feed, self._listen)
        )
        for thread in self._threads:
            thread.start()

    def step(self, step: StepDone) -> None:
        """Steps are not passed on."""
        if self._unsaid:
            self.say_what_is_new()

    def epoch(self, report: EpochReport) -> None:
        """Pass the epoch's figures on."""
        self._put({"event": "epoch", **describe_epoch(report)})
        self.say_what_is_new()

    def message(self, text: str) -> None:
        """Messages are not passed on."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Keep the summary until :meth:`end`: pictures are drawn after it."""
        self._summary = summary

    def end(self, pictures: Mapping[str, Path]) -> None:
        """Pass on the pictures that exist and how the run ended; no more is to come."""
        for name, path in pictures.items():
            if path.exists():
                self._put({"event": "picture", "name": name, "path": str(path)})
        self._put({"event": "finish", **describe_end(self._summary)})
        with self._changed:
            self._is_ending = True
            self._changed.notify()

    def has_ended(self, timeout_s: float) -> bool:
        """Wait for the tracker's process to end and say whether it has."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(timeout_s, 0.0))
        except subprocess.TimeoutExpired:
            return False
        self._join()
        return True

    def stop(self, waited_s: float) -> None:
        """Kill the tracker's process, and say so."""
        assert self._process is not None
        self._warn("late", f"had not stored everything {waited_s:.0f} s after the run ended and was stopped")
        with suppress(ProcessLookupError):  # it has just ended after all
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._join()

    def say_what_is_new(self) -> None:
        """Say what the tracker's process has said since; on the caller's thread, for others draw there too."""
        while self._unsaid:
            self._say(self._unsaid.popleft())

    @property
    def name(self) -> str:
        """The tracker's name."""
        return self._choice.name

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(1.0)

    def _put(self, event: dict[str, Any]) -> None:
        with self._changed:
            if len(self._queue) >= self._capacity and event["event"] == "epoch":
                oldest = next((at for at, waiting in enumerate(self._queue) if waiting["event"] == "epoch"), None)
                if oldest is not None:
                    del self._queue[oldest]
                self._warn(
                    "full", f"is slower than training; of epochs that wait for it, the last {self._capacity} stay"
                )
            self._queue.append(event)
            self._changed.notify()

    def _take(self) -> dict[str, Any] | None:
        """Return the next event as soon as there is one, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_ending)
            return self._queue.popleft() if self._queue else None

    def _feed(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            with self._process.stdin as pipe:
                while (event := self._take()) is not None:
                    pipe.write(json.dumps(event).encode() + b"\n")
                    pipe.flush()
        except OSError:  # the process is gone, which _listen says
            return

    def _listen(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                answer = json.loads(line)
                if "note" in answer:
                    self._unsaid.append(Said("note", f"{self._choice.name}: {answer['note']}"))
                else:
                    self._warn("failed", f"failed: {answer['failed']}")
        code = self._process.wait()
        if code != 0:
            self._warn("failed", f"ended with exit code {code}")

    def _warn(self, cause: Literal["failed", "full", "late"], text: str) -> None:
        """Have it said, once for each cause; nothing more once it has failed or been stopped."""
        if not self._warned & {cause, "failed", "late"}:
            self._warned.add(cause)
            self._unsaid.append(
                Said("warning", f"tracker {self.name} {text}; the run is not affected, see {self._log}")
            )


@contextmanager
def relaying(tracking: Tracking, say: Say, *, pictures: Mapping[str, Path]) -> Iterator[tuple[Relay, ...]]:
    """Yield a listener for each tracker; at the end pass on ``pictures`` and wait for the trackers, but not long.

    Args:
        tracking: which trackers, and how long to wait.
        say: is told what a person should read; called on the caller's thread.
        pictures: PNG files by name, those of them that exist at the end.
    """
    relays = tuple(Relay(choice, say) for choice in tracking.choices)
    try:
        yield relays
    finally:
        for relay in relays:
            relay.end(pictures)
        _wait_for(relays, say, tracking.wait_s)


def _wait_for(relays: Sequence[Relay], say: Say, wait_s: float) -> None:
    start = time.monotonic()
    patience_s = min(_PATIENCE_S, wait_s)
    slow = [relay for relay in relays if not relay.has_ended(start + patience_s - time.monotonic())]
    if slow and wait_s > patience_s:
        say(Said("note", f"waiting {wait_s:g} s at most for {', '.join(relay.name for relay in slow)}"))
    try:
        for relay in slow:
            relay.has_ended(start + wait_s - time.monotonic())
    finally:  # Ctrl-C included
        for relay in slow:
            if not relay.has_ended(0):
                relay.stop(time.monotonic() - start)
    for relay in relays:
        relay.say_what_is_new()


def _start_carrier(choice: Choice, log: Path) -> subprocess.Popen[bytes]:
    """Start the process that holds the tracker: it sees the same modules, no GPU, and no Ctrl-C."""
    environment = {
        **choice.environment,
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    with log.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "windtunnel.track.carrier", choice.target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
