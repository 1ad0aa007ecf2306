"""What becomes of a run whose worker has ended: pure rules by cause."""

from dataclasses import dataclass
from typing import Literal

from windtunnel.core.units import format_bytes
from windtunnel.dispatch.order import Result
from windtunnel.dispatch.state import RunState
from windtunnel.dispatch.types import Status

_GROWTH = 1.25
_MEMORY_TRIES = 3


@dataclass(frozen=True)
class Requeue:
    """The run goes back into the queue and on from its checkpoint.

    Args:
        cause: why; ``crash`` and ``memory`` are counted, the others are nobody's fault.
        reason: for people.
        bytes_needed: memory to set aside next time; None as before.
        alone: whether it must have a device to itself next time.
    """

    cause: Literal["memory", "storage", "crash", "interrupted", "lost", "stopped"]
    reason: str
    bytes_needed: int | None = None
    alone: bool = False


@dataclass(frozen=True)
class Verdict:
    """The run has ended for good."""

    status: Status
    reason: str


def judge(run: RunState, result: Result, *, device_bytes: int, retries: int, stopped: bool) -> Requeue | Verdict:
    """Return what becomes of ``run``.

    Args:
        run: as it stood while its worker lived.
        result: how the worker ended.
        device_bytes: memory of the device it was on.
        retries: crashes that are forgiven.
        stopped: whether the dispatcher itself told every worker to stop.
    """
    if run.stopping == "pruned":
        return Verdict("pruned", f"stopped early after epoch {run.last_epoch}")
    if result.cause == "finished":
        return Verdict("finished", result.reason)
    if result.cause == "diverged":
        return Verdict("diverged", result.reason)
    if run.stopping == "cancelled":
        return Verdict("cancelled", "cancelled by the user")
    if result.cause == "usage":
        return Verdict("failed", result.reason)
    if stopped:
        return Requeue("stopped", "the dispatcher was stopped")
    if result.cause == "memory":
        return _judge_memory(run, result, device_bytes)
    if result.cause == "lost" or result.cause == "storage":
        return Requeue(result.cause, result.reason)
    if run.crashes >= retries:
        return Verdict(
            "failed", f"its worker ended {run.crashes + 1} times without an outcome; the last: {result.reason}"
        )
    return Requeue("crash", result.reason)


def _judge_memory(run: RunState, result: Result, device_bytes: int) -> Requeue | Verdict:
    """Set aside more; then the whole device; never change the batch size, which would make it another run."""
    reserved = run.placement.reserved_bytes if run.placement else 0
    peak = max(result.peak_bytes or 0, run.peak_bytes or 0)
    needed = max(peak, int(reserved * _GROWTH))
    tries = run.memory_failures + 1
    if run.alone or tries >= _MEMORY_TRIES:
        return Verdict(
            "failed",
            f"ran out of memory {tries} times, the last time alone on a device with {format_bytes(device_bytes)}; "
            f"it held {format_bytes(peak)}. Lower data.batch_size, evaluate.batch_size or the model, or use a larger "
            f"device ({result.reason})",
        )
    if tries == _MEMORY_TRIES - 1 or needed >= device_bytes:
        # It gets all there is, so it need not wait for more to be free than it was ever seen or promised to need.
        return Requeue("memory", f"out of memory: {result.reason}", min(max(peak, reserved), device_bytes), alone=True)
    return Requeue("memory", f"out of memory: {result.reason}", needed)
