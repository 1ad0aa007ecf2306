"""Looking at a sweep's runs from outside, whether a dispatcher works on it or not."""

from dataclasses import replace
from pathlib import Path

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import read_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.dispatch.accounts import FreeBytes, compute_share, make_load
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.devices import Device, free_bytes
from windtunnel.dispatch.journal import Event, read_journal
from windtunnel.dispatch.launch import JobFolder
from windtunnel.dispatch.order import Order
from windtunnel.dispatch.overview import take_snapshot
from windtunnel.dispatch.packing import DeviceLoad
from windtunnel.dispatch.pool import Pool
from windtunnel.dispatch.snapshot import Snapshot
from windtunnel.dispatch.state import RunState, replay
from windtunnel.dispatch.types import Estimate, Job
from windtunnel.errors import UsageError


def look_at(folder: Path) -> Snapshot:
    """Return how the runs of the sweep in ``folder`` stand, from its journal and its workers' files.

    Raises:
        UsageError: no dispatcher ever worked on it, or its journal cannot be read.
    """
    own = _look_at_own(folder / "dispatch", folder, free_bytes)
    pool = Pool(folder / "dispatch" / "pool")
    if pool.is_closed or not (pool.path / "claimed").is_dir():
        return own
    return _with_machines(own, pool)


def _look_at_own(own: Path, folder: Path, free: FreeBytes) -> Snapshot:
    events = read_journal(own / "journal.jsonl")
    if not events:
        raise UsageError(f"{folder} has no queue: no dispatcher has worked on it yet")
    state = replay(events)
    prices = {run.id: Estimate(**run.estimate) for run in state.runs.values() if run.estimate}
    attempts = [_find_attempt(run, own) for run in state.runs.values() if run.placement is not None]
    waiting = sorted((run for run in state.runs.values() if run.is_waiting), key=lambda run: -run.priority)
    devices = [Device(**device) for device in _last_opened(events)["devices"]]
    loads = [_load(device, attempts, prices, free(device)) for device in devices]
    return take_snapshot(state, waiting, loads, attempts, prices)


def _with_machines(own: Snapshot, pool: Pool) -> Snapshot:
    """Add what the machines that hold runs of the pool say; their memory beside our runs cannot be seen from here."""
    holders = {worker for _, worker, _ in pool.claims()}
    seen = {worker: pool.path / "workers" / worker for worker in sorted(holders)}
    found = {
        worker: _look_at_own(folder / "dispatch", folder, lambda device: device.total_bytes)
        for worker, folder in seen.items()
        if (folder / "dispatch" / "journal.jsonl").exists()
    }
    running = [
        replace(run, device=f"{worker} {run.device}") for worker, there in found.items() for run in there.running
    ]
    started = {run.id for run in running}
    return replace(
        own,
        devices=tuple(
            replace(device, name=f"{worker} {device.name}")
            for worker, there in found.items()
            for device in there.devices
        ),
        running=tuple(running),
        waiting=tuple(run for run in own.waiting if run.id not in started),
    )


def _last_opened(events: list[Event]) -> Event:
    return next(event for event in reversed(events) if event["event"] == "opened")


def _find_attempt(run: RunState, folder: Path) -> Attempt:
    files = JobFolder(folder / "jobs" / run.id)
    order = Order.read(files.order(run.attempts))
    experiment = validate_tree(Experiment, read_yaml(Path(order.experiment)), order.experiment)
    attempt = Attempt(Job(run.id, experiment, Path(order.folder)), run, order)
    attempt.observe()
    return attempt


def _load(device: Device, attempts: list[Attempt], prices: dict[str, Estimate], free: int) -> DeviceLoad:
    here = [attempt for attempt in attempts if attempt.device == device.name]
    shares = [
        compute_share(attempt.job.experiment.runtime.threads or device.threads, device, prices[attempt.job.id])
        for attempt in here
    ]
    return make_load(device, here, shares, free)
