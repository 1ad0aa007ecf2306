"""How long a run takes, from runs already measured: of its own kind, or by the work it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from windtunnel.dispatch.estimate.history import Measured
from windtunnel.dispatch.estimate.traced import Traced

_SAME_KIND = (0.9, 1.15)
# networks of other shapes keep a device busier or less busy than those that were measured
_OTHER_KINDS = (0.4, 2.5)
_RECENT = 8


@dataclass(frozen=True)
class Duration:
    """Wall clock of a whole run alone on its device.

    Args:
        low: lower end of the range, seconds.
        seconds: middle.
        high: upper end.
        source: where it comes from, in words.
    """

    low: float
    seconds: float
    high: float
    source: str


def duration_of_kind(measured: Sequence[Measured], epochs: float) -> Duration | None:
    """Return the duration by runs of the same kind, scaled by epochs, or None without any."""
    seconds = [each.seconds * epochs / each.epochs for each in measured if each.seconds is not None][-_RECENT:]
    if not seconds:
        return None
    runs = f"{len(seconds)} run{'s' if len(seconds) > 1 else ''} of its kind"
    return Duration(min(seconds) * _SAME_KIND[0], median(seconds), max(seconds) * _SAME_KIND[1], runs)


def typical_startup(measured: Sequence[Measured]) -> float:
    """Return the seconds a worker takes besides its run, by the last ones of any kind; 0 where none was measured."""
    seconds = [each.startup_seconds for each in measured if each.startup_seconds is not None][-_RECENT:]
    return median(seconds) if seconds else 0.0


def duration_by_work(measured: Sequence[Measured], traced: Traced, epochs: float) -> Duration | None:
    """Return the duration by the floating-point operations a second that other kinds reached, or None without any.

    Args:
        measured: runs in the same number format and with as many threads.
        traced: the work to be done.
        epochs: of the run.
    """
    rates = [each.step_flops / each.step_seconds for each in measured if each.step_flops and each.step_seconds]
    if not rates:
        return None
    work = epochs * (traced.steps_per_epoch * traced.step_flops + traced.evaluation_flops)
    low, high = work / max(rates) * _OTHER_KINDS[0], work / min(rates) * _OTHER_KINDS[1]
    return Duration(low, work / median(rates), high, f"its arithmetic, at the speed of {len(rates)} other runs")
