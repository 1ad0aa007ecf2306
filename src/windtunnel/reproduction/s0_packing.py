"""S0's section 6, packed training, beside what our dispatcher's journal says of the same queue."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from windtunnel.catalog.timeline import Span, Timeline, read_timeline
from windtunnel.core.units import format_bytes, format_seconds
from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.state import replay
from windtunnel.report.document import Block, Column, Paragraph, Table
from windtunnel.reproduction.s0_figures import EPOCH_FROM_DISK_S, EPOCH_ON_DEVICE_S, MOST_AT_ONCE
from windtunnel.reproduction.storage import worked_seconds
from windtunnel.reproduction.types import Reproduced


@dataclass(frozen=True)
class Packing:
    """What a queue of runs came to.

    Args:
        runs: workers that were started, restarts included.
        most_at_once: workers at a time, the most.
        packed_s: time with a worker at work, pauses between two commands left out.
        worked_s: the workers' own time, added up.
        alone_s: what the runs were expected to take one after another, each alone; None where that is not known.
        bound_s: no schedule is shorter, as far as the estimates are true; None where nothing is known.
        held: for each worker, memory it was seen to hold over memory set aside for it.
        most_bytes: memory set aside at a time, the most.
    """

    runs: int
    most_at_once: int
    packed_s: float
    worked_s: float
    alone_s: float | None
    bound_s: float | None
    held: tuple[float, ...]
    most_bytes: int


def describe_packing(found: Reproduced) -> list[Block]:
    """Return the queue's figures beside the report's; nothing where no dispatcher worked."""
    timeline = read_timeline(found.folder)
    if timeline is None or not any(device.spans for device in timeline.devices):
        return []
    packing = measure_packing(timeline, packed_s=worked_seconds(found) or 0.0, alone_s=_sum_estimates(found))
    columns = tuple(Column(label, align="left") for label in ("figure", "report", "ours"))
    caption = f"Packed training, from the dispatcher's journal. {found.plan.head}."
    return [
        Table("packing", columns, tuple(_list_rows(packing)), caption=caption, for_paper=True),
        Paragraph(
            "The report's cap stands for memory that its profiler could not foretell. Here each run is admitted by "
            "its own estimate, which is corrected by what the run is seen to hold; on a CPU cores are the limit. "
            "Nothing was trained one after another for these figures: a run that shares its device takes no less time "
            "than alone, so the runs' own time is an upper bound of that."
        ),
    ]


def measure_packing(timeline: Timeline, *, packed_s: float, alone_s: float | None) -> Packing:
    """Return what the queue of ``timeline`` came to.

    Args:
        timeline: of the dispatcher.
        packed_s: time with a worker at work.
        alone_s: what its runs were expected to take one after another; None where that is not known.
    """
    spans = [span for device in timeline.devices for span in device.spans if span.end is not None]
    return Packing(
        runs=len(spans),
        most_at_once=_count_most(spans),
        packed_s=packed_s,
        worked_s=sum(_length(span) for span in spans),
        alone_s=alone_s,
        bound_s=timeline.bound.seconds if timeline.bound else None,
        held=tuple(span.measured_bytes / span.reserved_bytes for span in spans if span.measured_bytes),
        most_bytes=max((max(device.memory.predicted, default=0) for device in timeline.devices), default=0),
    )


def _sum_estimates(found: Reproduced) -> float | None:
    """Return the seconds that the dispatcher expected of all runs, each alone; None where it knew one run's not."""
    states = replay(read_journal(found.folder / "dispatch" / "journal.jsonl")).runs
    known = [float(state.estimate["seconds"]) for state in states.values() if state.estimate.get("seconds") is not None]
    return sum(known) if known and len(known) == len(states) else None


def _list_rows(packing: Packing) -> list[tuple[str, str, str]]:
    rows = [
        ("runs at a time, at most", f"3 to {MOST_AT_ONCE}, a fixed cap", str(packing.most_at_once)),
        (
            "runs at a time, on average",
            "",
            f"{packing.worked_s / packing.packed_s:.2f}" if packing.packed_s else "not known",
        ),
        ("the whole queue, packed", "", f"{format_seconds(packing.packed_s)} for {packing.runs} runs"),
        ("one after another, at most: the runs' own time in it, added up", "", format_seconds(packing.worked_s)),
        ("one after another, as expected of each run alone", "", _say_seconds(packing.alone_s)),
        ("no schedule is shorter than, as far as estimates are true", "", _say_seconds(packing.bound_s)),
        ("memory set aside at a time, at most", "all of the GPU's", format_bytes(packing.most_bytes)),
    ]
    if packing.held:
        low, middle, high = min(packing.held), statistics.median(packing.held), max(packing.held)
        said = f"{low:.2f} to {high:.2f}, median {middle:.2f}"
        rows.append(("memory held over memory set aside", "often above 1, so the cap", said))
    gain = f"{EPOCH_FROM_DISK_S:g} s to {EPOCH_ON_DEVICE_S:g} s an epoch, called 40 times, by these figures 16 times"
    return [*rows, ("data set on the device instead of loaded anew", gain, "wherever it fits")]


def _say_seconds(seconds: float | None) -> str:
    return "not known before they ran" if seconds is None else format_seconds(seconds)


def _length(span: Span) -> float:
    return 0.0 if span.end is None else span.end - span.start


def _count_most(spans: Sequence[Span]) -> int:
    """Return the most spans that overlap; one that begins as another ends does not overlap it."""
    changes = sorted((at, step) for span in spans for at, step in ((span.start, 1), (span.end or span.start, -1)))
    running = most = 0
    for _, step in changes:
        running += step
        most = max(most, running)
    return most
