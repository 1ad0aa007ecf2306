"""One sweep under several engines in turn: none begins while runs are still trained under another."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from windtunnel.dispatch.pool import Pool
from windtunnel.dispatch.processes import identify
from windtunnel.dispatch.retry import Requeue
from windtunnel.dispatch.settings import FOLDER
from windtunnel.dispatch.state import RunState
from windtunnel.errors import UsageError


def withdraw_offers(folder: Path) -> None:
    """Take back what the sweep in ``folder`` offers to other machines, which then join it in vain.

    Raises:
        UsageError: some of them hold runs.
    """
    pool = Pool(folder / FOLDER / "pool")
    if not (pool.path / "open").is_dir():
        return
    for job in pool.open_runs():
        pool.withdraw(job)
    holders = [worker for _, worker, _ in pool.claims()]
    if holders:
        names = ", ".join(sorted(set(holders)))
        raise UsageError(
            f"{len(holders)} runs of {folder} are trained by machines that joined it ({names}); go on with --engine "
            f"join, or stop them first and, where they are gone for good, delete the files in {pool.path / 'claimed'}"
        )
    pool.close()


def find_gone(runs: Iterable[RunState]) -> list[dict[str, object]]:
    """Return for each run that a dispatcher of this machine had a worker for, which is gone, why it waits again.

    Raises:
        UsageError: one of them still lives.
    """
    placed = [run for run in runs if run.placement is not None]
    for run in placed:
        if run.placement is not None and identify(run.placement.pid) == run.placement.identity:
            raise UsageError(
                f"{run.id} is still trained by process {run.placement.pid}; go on with --engine local, which takes it "
                "over, or stop that process first"
            )
    lost = Requeue("lost", "its worker was gone when another engine took over")
    return [{"job": run.id, "peak_bytes": None, **asdict(lost)} for run in placed]
