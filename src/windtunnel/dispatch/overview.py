"""Taking a snapshot of a dispatcher's books."""

from collections import Counter
from collections.abc import Mapping, Sequence

from windtunnel.dispatch.accounts import held_now
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.packing import DeviceLoad
from windtunnel.dispatch.snapshot import DeviceView, RunView, Snapshot, WaitingView
from windtunnel.dispatch.state import RunState, SweepState
from windtunnel.dispatch.types import Estimate

_LOW, _HIGH = 0.7, 1.5


def take_snapshot(
    state: SweepState,
    waiting: Sequence[RunState],
    loads: Sequence[DeviceLoad],
    attempts: Sequence[Attempt],
    prices: Mapping[str, Estimate],
) -> Snapshot:
    """Return how everything stands.

    Args:
        state: all runs.
        waiting: the queue, next first.
        loads: the devices as the planner sees them.
        attempts: the workers.
        prices: estimates, by job id.
    """
    return Snapshot(
        devices=tuple(_view_device(load, attempts) for load in loads),
        running=tuple(_view_run(attempt) for attempt in attempts),
        waiting=tuple(_view_waiting(run, prices) for run in waiting),
        ended=dict(Counter(run.outcome.status for run in state.runs.values() if run.outcome is not None)),
        paused=state.paused,
        remaining=estimate_remaining(waiting, attempts, prices, slots=_slots(loads)),
    )


def estimate_remaining(
    waiting: Sequence[RunState], attempts: Sequence[Attempt], prices: Mapping[str, Estimate], *, slots: int
) -> tuple[float, float] | None:
    """Return the seconds until all of these are done, as a range, or None where nothing is known of one.

    Runs with a worker count at the pace they were lately seen at; those waiting at their estimate, as many at a time
    as there are now.
    """
    left = [attempt.remaining_seconds() or _remaining_estimate(attempt, prices) for attempt in attempts]
    queued = [_range(prices.get(run.id)) for run in waiting]
    if not left and not queued:
        return None
    known = [pair for pair in (*left, *queued) if pair is not None]
    if len(known) < len(left) + len(queued):
        return None
    work = [sum(pair[end] for pair in known) / max(slots, 1) for end in (0, 1)]
    longest = [max(pair[end] for pair in known) for end in (0, 1)]
    return max(work[0], longest[0]), max(work[1], longest[1])


def _slots(loads: Sequence[DeviceLoad]) -> int:
    return max(sum(load.runs for load in loads), len(loads), 1)


def _view_device(load: DeviceLoad, attempts: Sequence[Attempt]) -> DeviceView:
    here = [attempt for attempt in attempts if attempt.device == load.name]
    return DeviceView(
        name=load.name,
        total_bytes=int(load.total),
        used_bytes=sum(held_now(attempt) for attempt in here),
        predicted_bytes=sum(attempt.counted_bytes for attempt in here),
        free_bytes=int(load.free),
        runs=len(here),
        sharing=load.sharing,
    )


def _view_run(attempt: Attempt) -> RunView:
    beat, placement = attempt.heartbeat, attempt.run.placement
    return RunView(
        id=attempt.job.id,
        device=attempt.device,
        attempt=attempt.order.attempt,
        step=beat.step if beat else 0,
        total_steps=beat.total_steps if beat else 0,
        held_bytes=attempt.measured_bytes,
        reserved_bytes=placement.reserved_bytes if placement else 0,
        remaining=attempt.remaining_seconds(),
        stopping=attempt.run.stopping,
    )


def _view_waiting(run: RunState, prices: Mapping[str, Estimate]) -> WaitingView:
    price = prices.get(run.id)
    needed = run.bytes_needed or (price.bytes if price else None)
    return WaitingView(run.id, run.priority, needed, run.note)


def _remaining_estimate(attempt: Attempt, prices: Mapping[str, Estimate]) -> tuple[float, float] | None:
    whole = _range(prices.get(attempt.job.id))
    beat = attempt.heartbeat
    if whole is None or beat is None or not beat.total_steps:
        return whole
    share = 1 - beat.step / beat.total_steps
    return whole[0] * share, whole[1] * share


def _range(price: Estimate | None) -> tuple[float, float] | None:
    if price is None or price.seconds is None:
        return None
    low = price.low_seconds if price.low_seconds is not None else _LOW * price.seconds
    high = price.high_seconds if price.high_seconds is not None else _HIGH * price.seconds
    return low, high
