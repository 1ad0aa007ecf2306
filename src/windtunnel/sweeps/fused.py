"""A sweep trained in this process, runs of one architecture as one stacked network where that is faster.

Opt-in: it gains where a device waits to be told what to do, as a GPU does with tiny networks. There is no process a run
here, so no memory is kept for one and nothing is stopped early; a killed sweep goes on as any other.
"""

import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from windtunnel.dispatch.control import read_wishes
from windtunnel.dispatch.fused.plan import Fusion, fuse
from windtunnel.dispatch.handover import find_gone, withdraw_offers
from windtunnel.dispatch.journal import Journal, hold_folder
from windtunnel.dispatch.restore import restore
from windtunnel.dispatch.settings import FOLDER, DispatchInterrupted
from windtunnel.dispatch.snapshot import SilentView, View
from windtunnel.dispatch.state import SweepState
from windtunnel.dispatch.types import Job, JobSource, Outcome, Status
from windtunnel.errors import UsageError, WindtunnelError

_LOOKAHEAD = 1000
_LARGEST_STACK = 8
_PAUSE_S = 1.0


class FusedSweep:
    """Trains a source's jobs stack by stack; used like a dispatcher and with the same journal.

    Args:
        folder: the sweep's folder.
        source: gives the jobs and hears how they go.
        view: shows people what happens.
        largest: runs a stack takes at most.
    """

    def __init__(
        self, folder: Path, source: JobSource, *, view: View | None = None, largest: int = _LARGEST_STACK
    ) -> None:
        self._folder = folder / FOLDER
        self._source = source
        self._view = view or SilentView()
        self._largest = largest
        self._state = SweepState()
        self._jobs: dict[str, Job] = {}

    def run(self) -> list[Outcome]:
        """Train every job and return how each ended, in the order they were taken.

        Raises:
            UsageError: another process, or another machine, works on the folder, or its journal cannot be read.
            DispatchInterrupted: Ctrl-C or SIGTERM; the runs under way have saved.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(hold_folder(self._folder))
            withdraw_offers(self._folder.parent)
            self._journal = Journal(self._folder / "journal.jsonl")
            stack.callback(self._journal.close)
            self._state, self._jobs = restore(self._journal.events, self._source)
            for lost in find_gone(self._state.runs.values()):
                self._note("requeued", **lost)
            self._note("opened", devices=[])
            while self._take() or self._waiting():
                self._hear_wishes()
                if self._state.paused:
                    time.sleep(_PAUSE_S)
                elif self._waiting():
                    self._train(self._next_stack())
        return [run.outcome for run in self._state.runs.values() if run.outcome is not None]

    def _take(self) -> bool:
        jobs = self._source.take(_LOOKAHEAD)
        if jobs:
            listed = [{"id": job.id, "folder": str(job.folder), "priority": job.priority} for job in jobs]
            self._note("taken", limit=_LOOKAHEAD, jobs=listed)
            self._jobs |= {job.id: job for job in jobs}
        return bool(jobs)

    def _hear_wishes(self) -> None:
        """Follow what ``windtunnel queue`` was told since the last stack."""
        for event in read_wishes(self._folder / "control.jsonl", self._state.control_offset):
            self._note("control", **event)
            run = self._state.runs.get(event["job"])
            if event["command"] == "cancel" and run is not None and run.outcome is None:
                self._end(Outcome(run.id, "cancelled", "cancelled by the user", attempts=0))

    def _waiting(self) -> list[Job]:
        waiting = [run for run in self._state.runs.values() if run.outcome is None]
        return [self._jobs[run.id] for run in sorted(waiting, key=lambda run: -run.priority)]

    def _next_stack(self) -> list[Job]:
        """Return the next job with those that can be stacked on it; one that was begun goes on by itself."""
        first, *rest = self._waiting()
        if _is_begun(first):
            return [first]
        like = [job for job in rest if not _is_begun(job) and _can_stack(first, job)]
        return [first, *like[: self._largest - 1]]

    def _train(self, jobs: Sequence[Job]) -> None:
        import torch

        from windtunnel.dispatch.fused.run import train_fused

        failure = ""
        try:
            result = train_fused([job.experiment for job in jobs], [job.folder for job in jobs])
        except (WindtunnelError, torch.OutOfMemoryError) as error:
            failure = str(error) or type(error).__name__
        if failure:  # outside the except block, since the error's frames hold the memory that the next try needs
            self._part(jobs, failure)
            return
        self._view.note(f"{len(jobs)} runs {'as one' if result.fused else 'one by one'}: {result.reason}")
        for job, ended in zip(jobs, result.runs, strict=False):  # an interrupt leaves the last ones out
            if ended.status == "interrupted":
                raise DispatchInterrupted(signal.Signals[str(ended.summary["reason"])], self._folder.parent)
            status: Status = "diverged" if ended.status == "diverged" else "finished"
            self._end(Outcome(job.id, status, str(ended.summary["reason"]), ended.summary))

    def _part(self, jobs: Sequence[Job], failure: str) -> None:
        """Try what failed together one by one; what fails by itself has failed."""
        if len(jobs) == 1:
            self._end(Outcome(jobs[0].id, "failed", failure))
            return
        self._view.note(f"{len(jobs)} runs failed as one ({failure}); each is tried by itself")
        for job in jobs:
            self._train([job])

    def _end(self, outcome: Outcome) -> None:
        self._note("ended", **asdict(outcome))
        self._source.finish(outcome)
        self._view.note(f"{outcome.job} {outcome.status}: {outcome.reason}")

    def _note(self, event: str, **values: object) -> None:
        self._state.apply(self._journal.append(event, **values))


def refuse_pruning(pruning: object) -> None:
    """Refuse to stop runs early that are trained as one.

    Raises:
        UsageError: there is a rule.
    """
    if pruning is not None:
        raise UsageError("engine fused trains runs side by side to their end: set pruning=null or use engine local")


def _is_begun(job: Job) -> bool:
    return (job.folder / "config.yaml").exists()


def _can_stack(first: Job, other: Job) -> bool:
    return isinstance(fuse([first.experiment, other.experiment]), Fusion)
