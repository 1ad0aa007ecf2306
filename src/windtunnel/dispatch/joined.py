"""A machine that pulls runs of a sweep from a shared folder and packs them on its own devices."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from windtunnel.config.experiment import Experiment
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.dispatcher import Dispatcher
from windtunnel.dispatch.forking import ForkCommand
from windtunnel.dispatch.launch import Command
from windtunnel.dispatch.pool import BEAT_SHARE, EXPIRY_S, Pool, Watch
from windtunnel.dispatch.settings import FOLDER, DispatchInterrupted, Settings, worker_command
from windtunnel.dispatch.snapshot import SilentView, View
from windtunnel.dispatch.types import Estimate, Job, Outcome
from windtunnel.errors import UsageError


class ClaimedJobs:
    """The source of a joined machine's dispatcher: what it can claim from the pool.

    A run that cannot be begun here, for it is too large for the devices or its data are not here, is left to others.

    Args:
        pool: the shared folder.
        worker: this machine's name there.
        tell: hears which runs are left to others.
        expiry_s: seconds without a beat after which another worker's runs are taken over.
    """

    def __init__(
        self, pool: Pool, worker: str, *, tell: Callable[[str], None] = lambda text: None, expiry_s: float = EXPIRY_S
    ) -> None:
        self._tell = tell
        self._pool = pool
        self._worker = worker
        self._watch = Watch(pool, expiry_s)
        self._claims: dict[str, Path] = {}
        self.refused: set[str] = set()
        self._beats, self._beat_at, self._beat_every = 0, 0.0, expiry_s * BEAT_SHARE

    def take(self, limit: int) -> list[Job]:
        """Claim up to ``limit`` open runs; one that was lost to others only once its worker here is gone."""
        self.beat()
        jobs: list[Job] = []
        while len(jobs) < limit and (job := self._pool.claim(self._worker, without=self._not_wanted())) is not None:
            self._claims[job.id] = Path(job.claim)
            jobs.append(job)
        return jobs

    def progress(self, job: str, epoch: int, metrics: dict[str, float]) -> bool:
        """Say whether the run goes on; the head, which reads the same metrics, decides."""
        return not self._pool.is_stopped(job)

    def finish(self, outcome: Outcome) -> None:
        """Write how a run ended for the head to read; offer one that could not even begin to others."""
        claim = self._claims.pop(outcome.job, None)
        if claim is None:
            return
        if outcome.status == "failed" and outcome.attempts == 0:
            self.refused.add(outcome.job)
            self._pool.refuse(outcome.job, self._worker, outcome.reason, claim)
            self._tell(f"{outcome.job} is left to other machines, since it cannot begin here")
        else:
            self._pool.finish(outcome, claim)

    def is_exhausted(self) -> bool:
        """Say whether every run of the sweep has ended; a beat too, since this is asked all the time."""
        self.beat()
        self._watch.free_expired()
        return self._pool.is_closed

    def beat(self) -> None:
        """Say that this machine lives."""
        now = time.monotonic()
        if now - self._beat_at >= self._beat_every:
            self._beat_at = now
            self._beats += 1
            self._pool.beat(self._worker, self._beats)

    def _not_wanted(self) -> set[str]:
        return {*self._claims, *self.refused}

    def release_all(self) -> None:
        """Offer again what has not ended here."""
        for job in list(self._claims):
            self._pool.release(job, self._worker)
            del self._claims[job]


def join_pool(
    folder: Path,
    devices: Sequence[Device],
    *,
    estimate: Callable[[Experiment], Estimate],
    record: Callable[[Job, Outcome], None] | None = None,
    view: View | None = None,
    settings: Settings | None = None,
    command: Command = worker_command,
    fork: ForkCommand | None = None,
    name: str = "",
    expiry_s: float = EXPIRY_S,
) -> list[Outcome]:
    """Pull runs from the sweep in ``folder`` until all have ended; return how those trained here did.

    Args:
        folder: the sweep's folder, on a file system that its machines share.
        devices: this machine's devices.
        estimate: prices a run.
        record: hears how each run ended.
        view: shows people what happens.
        settings: how to behave; but one run is kept waiting, so that others may pull the rest.
        command: makes a worker's command from its order.
        fork: makes the command of a server that forks workers; None starts each by its own command.
        name: this machine's name in the pool, never used before; empty for one made up.
        expiry_s: seconds without a beat after which another worker's runs are taken over.

    Raises:
        UsageError: the folder has no pool.
        DispatchInterrupted: Ctrl-C or SIGTERM; what was pulled is saved and offered again.
    """
    pool = Pool(folder / FOLDER / "pool")
    if not (pool.path / "open").is_dir():
        raise UsageError(f"{folder} offers no runs; start the sweep with --engine join first, then join it")
    name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    source = ClaimedJobs(pool, name, tell=(view or SilentView()).note, expiry_s=expiry_s)
    own = pool.path / "workers" / name
    own.mkdir()
    try:
        outcomes = Dispatcher(
            own,
            source,
            devices,
            estimate=estimate,
            record=record,
            view=view,
            settings=replace(settings or Settings(), lookahead=1),
            command=command,
            fork=fork,
        ).run()
        return [outcome for outcome in outcomes if outcome.job not in source.refused]
    except DispatchInterrupted as stopped:
        raise DispatchInterrupted(stopped.signal, folder) from stopped  # the machine's own folder is nobody's business
    finally:
        source.release_all()
        pool.leave(name)
