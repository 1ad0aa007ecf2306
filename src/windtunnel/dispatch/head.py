"""The head of a sweep whose runs other machines pull: it holds the source and the journal, and no device."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from windtunnel.dispatch.attempt import EpochReader
from windtunnel.dispatch.control import read_wishes
from windtunnel.dispatch.handover import find_gone
from windtunnel.dispatch.journal import Journal, hold_folder
from windtunnel.dispatch.look import look_at
from windtunnel.dispatch.pool import EXPIRY_S, Pool, Watch
from windtunnel.dispatch.restore import restore
from windtunnel.dispatch.settings import FOLDER, DispatchInterrupted, Settings
from windtunnel.dispatch.snapshot import SilentView, Snapshot, View
from windtunnel.dispatch.state import RunState, SweepState
from windtunnel.dispatch.types import Job, JobSource, Outcome
from windtunnel.training.interruption import Interruption, listen_for_signals

_MIDDLE_RANK, _PRIORITY_RANKS = 500_000, 10_000


class PoolHead:
    """Offers a source's jobs in a shared folder and tells it how they go; used like a dispatcher.

    It may be killed at any moment: workers go on with what they hold, and the next head with the same folder reads
    what they wrote meanwhile.

    Args:
        folder: the sweep's folder, shared with those who join.
        source: gives the jobs and hears how they go.
        view: shows people what happens.
        settings: how to behave; ``lookahead`` jobs are offered at most.
        tend: called now and then with the pool, e.g. to start those who pull from it and to tell which have died.
        expiry_s: seconds without a beat after which a worker's runs are offered again.
    """

    def __init__(
        self,
        folder: Path,
        source: JobSource,
        *,
        view: View | None = None,
        settings: Settings | None = None,
        tend: Callable[[Pool], None] | None = None,
        expiry_s: float = EXPIRY_S,
    ) -> None:
        self._settings = settings or Settings()
        self._folder = folder / FOLDER
        self._pool = Pool(self._folder / "pool")
        self._source = source
        self._view = view or SilentView()
        self._watch = Watch(self._pool, expiry_s)
        self._tend = tend
        self._state = SweepState()
        self._jobs: dict[str, Job] = {}
        self._readers: dict[str, EpochReader] = {}
        self._told: set[tuple[str, str]] = set()
        self._refusers: tuple[frozenset[str], float] = (frozenset(), 0.0)

    def run(self) -> list[Outcome]:
        """Wait until others have run every job and return how each ended.

        Raises:
            UsageError: another head or a worker of this machine works on the folder, or its journal cannot be read.
            DispatchInterrupted: Ctrl-C or SIGTERM; workers go on.
        """
        with self._open() as interruption:
            while not self._is_done():
                if interruption.signal is not None:
                    raise DispatchInterrupted(interruption.signal, self._folder.parent)
                self._tick()
                time.sleep(self._settings.poll_s)
            self._pool.close()
        return [run.outcome for run in self._state.runs.values() if run.outcome is not None]

    @contextmanager
    def _open(self) -> Iterator[Interruption]:
        self._pool.create()
        with ExitStack() as stack:
            stack.enter_context(hold_folder(self._folder))
            self._journal = Journal(self._folder / "journal.jsonl")
            stack.callback(self._journal.close)
            self._state, self._jobs = restore(self._journal.events, self._source)
            for lost in find_gone(self._state.runs.values()):
                self._note("requeued", **lost)
            self._note("opened", devices=[])
            self._pool.reopen()
            self._publish()
            yield stack.enter_context(listen_for_signals())

    def _tick(self) -> None:
        if self._tend is not None:
            self._tend(self._pool)
        self._take()
        self._hear_wishes()
        for job in self._watch.free_expired():
            self._view.note(f"{job} is offered again: its worker's beat stood still")
        for job in [entry.partition("~")[2] for entry, _, _ in self._pool.claims()]:
            self._tell_progress(self._state.runs[job])
        for job in self._pool.ended():
            if self._state.runs[job].outcome is None:
                self._finish(self._pool.read_outcome(job))
        self._end_refused()
        self._view.update(self.look)

    def look(self) -> Snapshot:
        """Return how everything stands now, on the machines that pull runs too."""
        return look_at(self._folder.parent)

    def _take(self) -> None:
        wanted = self._settings.lookahead - len(self._unfinished())
        if wanted > 0 and not self._source.is_exhausted():
            jobs = self._source.take(wanted)
            if jobs:
                listed = [{"id": job.id, "folder": str(job.folder), "priority": job.priority} for job in jobs]
                self._note("taken", limit=wanted, jobs=listed)
                self._jobs |= {job.id: job for job in jobs}
                self._publish()

    def _publish(self) -> None:
        """Offer what is not in the pool yet; after a crash between journal and pool, too."""
        there = self._pool.offered()
        for index, run in enumerate(self._state.runs.values()):
            if run.outcome is None and run.id not in there:
                self._pool.publish(self._jobs[run.id], _rank(index, run.priority))

    def _tell_progress(self, run: RunState) -> None:
        reader = self._readers.setdefault(run.id, EpochReader(self._jobs[run.id].folder))
        for epoch, metrics in reader.read_after(run.last_epoch):
            go_on = self._source.progress(run.id, epoch, metrics)
            self._note("progress", job=run.id, epoch=epoch, metrics=metrics, go_on=go_on)
        if run.stopping:
            self._pool.stop(run.id)

    def _finish(self, outcome: Outcome) -> None:
        run = self._state.runs[outcome.job]
        self._tell_progress(run)
        ended = asdict(outcome)
        if outcome.status == "pruned" and run.stopping == "cancelled":
            ended |= {"status": "cancelled", "reason": "cancelled by the user"}
        self._note("ended", **ended)
        if run.outcome is not None:
            self._source.finish(run.outcome)
            self._view.note(f"{run.id} {run.outcome.status}: {run.outcome.reason}")

    def _end_refused(self) -> None:
        """Give up runs that every machine has refused, once nothing else is left and nobody has joined for a while."""
        refusals = self._pool.refusals()
        for job, worker in {(job, worker) for job, reasons in refusals.items() for worker in reasons} - self._told:
            self._told.add((job, worker))
            self._view.note(f"{job} is left to other machines by {worker}: {refusals[job][worker]}")
        left = {run.id for run in self._unfinished()}
        machines = self._refusing(left, refusals) if left else frozenset[str]()
        if machines != self._refusers[0]:
            self._refusers = machines, time.monotonic()
        if machines and time.monotonic() - self._refusers[1] > self._watch.expiry_s:
            for job in sorted(left):
                self._give_up(job, refusals[job])

    def _refusing(self, left: set[str], refusals: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
        """Return the living machines if each has refused every run that is left; otherwise none."""
        if not left <= refusals.keys() or not left <= set(self._pool.open_runs()):
            return frozenset()
        living = frozenset(self._watch.living())
        return living if all(living <= refusals[job].keys() for job in left) else frozenset()

    def _give_up(self, job: str, reasons: Mapping[str, str]) -> None:
        if self._pool.withdraw(job):
            said = "; ".join(sorted(set(reasons.values())))
            reason = f"no machine that has joined can begin it: {said}"
            self._finish(Outcome(job, "failed", reason, attempts=0))

    def _hear_wishes(self) -> None:
        for event in read_wishes(self._folder / "control.jsonl", self._state.control_offset):
            self._note("control", **event)
            self._pool.pause(self._state.paused)
            run = self._state.runs.get(event["job"])
            if run is not None and run.outcome is None:
                self._follow(event["command"], run)

    def _follow(self, command: str, run: RunState) -> None:
        is_open = self._pool.withdraw(run.id)
        if command == "cancel" and is_open:
            self._finish(Outcome(run.id, "cancelled", "cancelled by the user", attempts=0))
        elif command == "cancel":
            self._note("stopping", job=run.id, why="cancelled")
        elif is_open:
            self._publish()

    def _unfinished(self) -> list[RunState]:
        return [run for run in self._state.runs.values() if run.outcome is None]

    def _is_done(self) -> bool:
        return not self._unfinished() and self._source.is_exhausted()

    def _note(self, event: str, **values: object) -> None:
        self._state.apply(self._journal.append(event, **values))


def _rank(index: int, priority: int) -> int:
    """Return where a run stands among the offers: six digits, by priority, then in the order taken."""
    return min(max(_MIDDLE_RANK - _PRIORITY_RANKS * priority + index, 0), 2 * _MIDDLE_RANK - 1)
