"""Runs that several machines pull from one shared folder.

A run that is open is a file; to claim it is to rename that file, which the file server does for one of them only, also
on NFS. A claim holds as long as its worker's beat goes on: whoever sees a beat stand still long enough by its own clock
renames the run back. File locks are not relied on here, since not every network file system carries them.
"""

import json
import time
from collections.abc import Container, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from windtunnel.config.experiment import Experiment
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import write_json, write_text
from windtunnel.dispatch.types import Job, Outcome

EXPIRY_S = 60.0
BEAT_SHARE = 0.05
"""A worker beats, and is looked at, this often in the time after which it counts as dead."""

_AT = "@"


@dataclass(frozen=True)
class Pool:
    """The files of the pool in ``path``.

    Args:
        path: the pool's folder, ``dispatch/pool`` in the sweep's.
    """

    path: Path

    def create(self) -> None:
        """Make the folders; the one that says that runs are offered last, so that whoever finds it finds them all."""
        for name in ("claimed", "done", "stop", "beats", "workers", "refused", "open"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def publish(self, job: Job, rank: int) -> None:
        """Offer a run; those of lower rank are pulled first."""
        values = {
            "id": job.id,
            "folder": str(job.folder.absolute()),
            "experiment": job.experiment.model_dump(mode="json"),
            "rank": rank,
        }
        write_json(self.path / "open" / f"{rank:06d}~{job.id}", values)

    def claim(self, worker: str, *, without: Container[str] = ()) -> Job | None:
        """Take the next open run for ``worker``, or None when there is none; none of those ``without`` names."""
        for offer in [] if self._paused.exists() else self._list("open"):
            if _job_of(offer.name) in without:
                continue
            held = self._held(offer.name, worker)
            try:
                offer.rename(held)
            except FileNotFoundError:
                if not held.exists():  # NFS may report failure for a rename that a lost answer made it repeat
                    continue
            if not (self.path / "done" / _job_of(offer.name)).exists():
                return self._read(held)
            held.unlink()  # its last worker ended it and died before it could say that it was done with it
        return None

    def withdraw(self, job: str) -> bool:
        """Take back an offer; return whether nobody had claimed it."""
        for offer in self._list("open"):
            if _job_of(offer.name) == job:
                try:
                    offer.unlink()
                except FileNotFoundError:
                    return False
                return True
        return False

    def open_runs(self) -> list[str]:
        """Return the ids of the runs that nobody has claimed."""
        return [_job_of(offer.name) for offer in self._list("open")]

    def pause(self, paused: bool) -> None:
        """Let nobody claim anything, or let them again."""
        if paused:
            self._paused.touch()
        else:
            self._paused.unlink(missing_ok=True)

    def release(self, job: str, worker: str) -> None:
        """Offer a run again that ``worker`` held; nothing when it holds it no longer."""
        for entry, holder, path in self.claims():
            if holder == worker and _job_of(entry) == job:
                self.give_back(path, entry)

    def claims(self) -> Iterator[tuple[str, str, Path]]:
        """Yield each claimed run's entry, its worker and its file."""
        for path in self._list("claimed"):
            entry, _, worker = path.name.rpartition(_AT)
            yield entry, worker, path

    def release_all(self, worker: str) -> list[str]:
        """Offer again every run that ``worker`` held; return their ids."""
        held = [(path, entry) for entry, holder, path in self.claims() if holder == worker]
        return [_job_of(entry) for path, entry in held if self.give_back(path, entry)]

    def give_back(self, path: Path, entry: str) -> bool:
        """Offer the run claimed by the file ``path`` again; return whether it was still claimed so."""
        try:
            path.rename(self.path / "open" / entry)
        except FileNotFoundError:
            return False
        return True

    def beat(self, worker: str, count: int) -> None:
        """Say that ``worker`` lives."""
        temporary = self.path / "beats" / f".{worker}"
        temporary.write_text(str(count), encoding="ascii")
        temporary.rename(self.path / "beats" / worker)

    def read_beat(self, worker: str) -> str:
        """Return the worker's last beat, empty when it has none."""
        try:
            return (self.path / "beats" / worker).read_text(encoding="ascii")
        except FileNotFoundError:
            return ""

    def finish(self, outcome: Outcome, claim: Path) -> None:
        """Write how a run ended, unless its claim was lost; then it is its new holder's to say."""
        if claim.exists():
            write_json(self.path / "done" / outcome.job, asdict(outcome))
            claim.unlink(missing_ok=True)

    def refuse(self, job: str, worker: str, reason: str, claim: Path) -> None:
        """Offer the run that ``worker`` claimed by the file ``claim`` to others, since it cannot begin it itself."""
        write_text(self.path / "refused" / f"{job}{_AT}{worker}", reason)
        self.give_back(claim, claim.name.rpartition(_AT)[0])

    def refusals(self) -> dict[str, dict[str, str]]:
        """Return the runs that machines could not begin: run -> machine -> why."""
        found: dict[str, dict[str, str]] = {}
        for path in self._list("refused"):
            job, _, worker = path.name.rpartition(_AT)
            found.setdefault(job, {})[worker] = path.read_text(encoding="utf-8")
        return found

    def machines(self) -> list[str]:
        """Return the names of those that have joined and not left."""
        return [path.name for path in self._list("beats")]

    def leave(self, worker: str) -> None:
        """Say that ``worker`` pulls no runs any more."""
        (self.path / "beats" / worker).unlink(missing_ok=True)

    def ended(self) -> list[str]:
        """Return the ids of the runs that have ended."""
        return [path.name for path in self._list("done")]

    def read_outcome(self, job: str) -> Outcome:
        """Return how a run that has ended did."""
        return Outcome(**json.loads((self.path / "done" / job).read_text(encoding="utf-8")))

    def stop(self, job: str) -> None:
        """Ask whoever holds the run to stop it."""
        (self.path / "stop" / job).touch()

    def is_stopped(self, job: str) -> bool:
        """Say whether the run was asked to stop."""
        return (self.path / "stop" / job).exists()

    def close(self) -> None:
        """Say that no run will be offered any more and all have ended."""
        (self.path / "closed").touch()

    def reopen(self) -> None:
        """Say that runs are offered."""
        (self.path / "closed").unlink(missing_ok=True)

    @property
    def is_closed(self) -> bool:
        """Whether every run of the sweep has ended."""
        return (self.path / "closed").exists()

    def offered(self) -> set[str]:
        """Return the ids of the runs that are open, claimed or done."""
        names = [*(path.name for path in self._list("open")), *(entry for entry, _, _ in self.claims())]
        return {*map(_job_of, names), *self.ended()}

    @property
    def _paused(self) -> Path:
        return self.path / "paused"

    def _held(self, entry: str, worker: str) -> Path:
        return (self.path / "claimed" / f"{entry}{_AT}{worker}").absolute()

    def _read(self, held: Path) -> Job:
        values = json.loads(held.read_text(encoding="utf-8"))
        experiment = validate_tree(Experiment, values["experiment"], values["id"])
        return Job(values["id"], experiment, Path(values["folder"]), claim=str(held))

    def _list(self, name: str) -> list[Path]:
        return sorted(path for path in (self.path / name).iterdir() if not path.name.startswith("."))


def _job_of(entry: str) -> str:
    return entry.partition("~")[2]


@dataclass
class Watch:
    """Sees which workers' beats stand still; by its own clock, since machines' clocks differ.

    Args:
        pool: the pool.
        expiry_s: seconds without a new beat after which a worker's runs are open again.
    """

    pool: Pool
    expiry_s: float = EXPIRY_S
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    _looked_at: float = 0.0

    def free_expired(self) -> list[str]:
        """Open the runs of workers whose beat stood still too long; return those runs' ids."""
        now = time.monotonic()
        if now - self._looked_at < self.expiry_s * BEAT_SHARE:
            return []
        self._looked_at, freed = now, []
        for entry, worker, path in list(self.pool.claims()):
            if self._stands_still(worker, now) and self.pool.give_back(path, entry):
                freed.append(_job_of(entry))
        return freed

    def living(self) -> set[str]:
        """Return the machines that have joined, except those whose beat stood still too long."""
        now = time.monotonic()
        return {worker for worker in self.pool.machines() if not self._stands_still(worker, now)}

    def _stands_still(self, worker: str, now: float) -> bool:
        beat = self.pool.read_beat(worker)
        last, since = self._seen.setdefault(worker, (beat, now))
        if beat != last:
            self._seen[worker] = (beat, now)
            return False
        return now - since > self.expiry_s
