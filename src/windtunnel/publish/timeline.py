"""What ran on each device and when: a bar for each worker, memory set aside against memory held, the queue."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from windtunnel.catalog.timeline import DeviceLane, Span, Timeline, read_timeline
from windtunnel.errors import UsageError
from windtunnel.report.labels import plain
from windtunnel.report.theme import GREY, HouseFigure, colour, house_style
from windtunnel.sweeps.run import SweepResult

_GIB = 2**30
_LANE_INCHES, _FEWEST_LANES, _MOST_LANES = 0.16, 4, 24
_SHADES: Mapping[str, int] = MappingProxyType(
    {"finished": 0, "running": 2, "pruned": 4, "failed": 1, "diverged": 1, "cancelled": 6}
)
_AGAIN = "went back into the queue"


def plot_timeline(sweep: SweepResult | Path | str) -> Figure:
    """Draw for each device of a sweep its runs and its memory, and below them the queue, over one clock.

    Args:
        sweep: what ``windtunnel.sweep`` returned, or the sweep's folder.

    Raises:
        UsageError: no dispatcher ever worked on it.
    """
    folder = sweep.folder.path if isinstance(sweep, SweepResult) else Path(sweep)
    timeline = read_timeline(folder)
    if timeline is None:
        raise UsageError(f"{folder} has no timeline: no dispatcher has worked on it yet")
    return draw_timeline(timeline)


def draw_timeline(timeline: Timeline) -> Figure:
    """Draw what :func:`windtunnel.catalog.timeline.read_timeline` returned."""
    lanes = {device.name: arrange(device.spans, until=timeline.now) for device in timeline.devices}
    heights = [part for name in lanes for part in (_runs_inches(len(lanes[name])), 1.1)]
    scale, unit = _choose_unit(timeline.now - timeline.opened)
    with house_style():
        figure = HouseFigure(figsize=(9.6, sum(heights) + 1.9), layout="constrained")
        panels = figure.subplots(len(heights) + 1, 1, sharex=True, height_ratios=[*heights, 1.1], squeeze=False)[:, 0]
        for place, device in enumerate(timeline.devices):
            _draw_runs(panels[2 * place], device, lanes[device.name], timeline, scale)
            _draw_memory(panels[2 * place + 1], device, timeline, scale)
        _draw_queue(panels[-1], timeline, scale)
        _draw_bound(panels[0], timeline, scale)
        panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
        panels[-1].set_xlabel(f"{unit} since the first dispatcher began")
        panels[-1].set_xlim(left=0)
    return figure


def arrange(spans: Sequence[Span], *, until: float) -> list[list[Span]]:
    """Return the spans in as few lanes as keep those of a lane apart, each in the first lane that is free.

    Args:
        spans: what ran.
        until: when those that still run are taken to end.
    """
    lanes: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: span.start):
        for lane in lanes:
            last = lane[-1].end
            if (until if last is None else last) <= span.start:
                lane.append(span)
                break
        else:
            lanes.append([span])
    return lanes


def _runs_inches(lanes: int) -> float:
    return _LANE_INCHES * min(max(lanes, _FEWEST_LANES), _MOST_LANES) + 0.2


def _choose_unit(seconds: float) -> tuple[float, str]:
    if seconds < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 10800 else (3600.0, "hours")


def _draw_runs(
    axes: Axes, device: DeviceLane, lanes: Sequence[Sequence[Span]], timeline: Timeline, scale: float
) -> None:
    named: set[str] = set()
    for row, lane in enumerate(lanes):
        for status in dict.fromkeys(_group(span.status) for span in lane):
            bars = [
                ((span.start - timeline.opened) / scale, max((_end(span, timeline) - span.start) / scale, 1e-9))
                for span in lane
                if _group(span.status) == status
            ]
            shade = colour(_SHADES[status]) if status in _SHADES else GREY
            label = "" if status in named else status
            axes.broken_barh(bars, (row - 0.42, 0.84), facecolor=shade, edgecolor="#ffffff", linewidth=0.6, label=label)
            named.add(status)
    axes.set(ylabel="runs", ylim=(-0.6, max(len(lanes), 1) - 0.4))
    axes.set_yticks(_whole_ticks(len(lanes)), [str(tick + 1) for tick in _whole_ticks(len(lanes))])
    axes.set_title(plain(device.name), loc="right")
    axes.grid(axis="y", visible=False)


def _whole_ticks(lanes: int) -> list[int]:
    return sorted({0, max(lanes - 1, 0)})


def _group(status: str) -> str:
    return status if status in _SHADES else _AGAIN


def _end(span: Span, timeline: Timeline) -> float:
    return timeline.now if span.end is None else span.end


def _draw_memory(axes: Axes, device: DeviceLane, timeline: Timeline, scale: float) -> None:
    memory = device.memory
    times = [(at - timeline.opened) / scale for at in memory.time]
    predicted = [value / _GIB for value in memory.predicted]
    measured = [value / _GIB for value in memory.measured]
    axes.fill_between(times, measured, step="post", color=colour(5), alpha=0.5, linewidth=0, label="most held")
    axes.step(times, predicted, where="post", color=colour(1), linewidth=1.4, label="set aside")
    top = 1.15 * max([*predicted, *measured, 1e-3])
    if device.total_bytes and device.total_bytes / _GIB < 3 * top:
        axes.axhline(device.total_bytes / _GIB, color=GREY, linestyle="--", linewidth=1, label="limit")
        top = max(top, 1.05 * device.total_bytes / _GIB)
    axes.set(ylabel="GiB", ylim=(0, top))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.95), ncols=3)


def _draw_queue(axes: Axes, timeline: Timeline, scale: float) -> None:
    queue = timeline.queue
    times = [(at - timeline.opened) / scale for at in (*queue.time, timeline.now)]
    for values, label, shade in ((queue.waiting, "waiting", GREY), (queue.running, "running", colour(2))):
        axes.step(times, [*values, *values[-1:]], where="post", color=shade, linewidth=1.4, label=label)
    axes.set(ylabel="runs")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.95), ncols=2)


def _draw_bound(axes: Axes, timeline: Timeline, scale: float) -> None:
    if timeline.bound is None or timeline.bound.seconds <= 0:
        return
    label = f"least time possible, bound by {timeline.bound.term}"
    axes.axvline(timeline.bound.seconds / scale, color=colour(6), linestyle=":", linewidth=1.6, label=label)
