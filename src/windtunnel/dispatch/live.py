"""What people see of a dispatcher: tables that move on a terminal, plain lines anywhere else."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from windtunnel.core.units import format_bytes
from windtunnel.dispatch.snapshot import DeviceView, RunView, SilentView, Snapshot, View, WaitingView

_REDRAW_S, _LONGEST_REDRAW_S = 2.0, 10.0
_DRAWING_SHARE = 0.003  # of a core
_LINE_S = 30.0
_WAITING_SHOWN = 8
_BAR_WIDTH = 20
_WITH_BARS, _WITH_STEPS = 100, 70  # columns of a terminal from which a run has these
_HOURS_S = 5400.0  # from here on durations are given in hours
_GONE = (errno.EIO, errno.EPIPE, errno.ENXIO)  # what writing to a closed terminal, or to nobody, gives
_VAGUE = 10  # the upper end of an estimate this many times the lower one says nothing


@contextmanager
def show_live(console: Console) -> Iterator[View]:
    """Yield the view that fits ``console``: tables on a terminal, plain lines otherwise or under NO_COLOR."""
    if not console.is_terminal or console.no_color:
        yield LastingView(LineView(console))
        return
    live = Live(console=console, auto_refresh=False, transient=True)
    live.start()
    view = TableView(live)
    try:
        yield LastingView(view)
    finally:
        with suppress(OSError):
            view.print_notes()
            live.stop()


class LastingView:
    """Shows what ``view`` does for as long as somebody is there; runs go on where their terminal has been closed."""

    def __init__(self, view: View) -> None:
        self._view = view

    def note(self, text: str) -> None:
        """Say ``text`` if anybody hears it."""
        with self._until_gone():
            self._view.note(text)

    def update(self, look: Callable[[], Snapshot]) -> None:
        """Show how everything stands if anybody sees it."""
        with self._until_gone():
            self._view.update(look)

    @contextmanager
    def _until_gone(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _GONE:
                raise
            self._view = SilentView()


class TableView:
    """Redraws the tables every other second, or less often where that costs much; what happened scrolls by above."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._notes: list[str] = []
        self._drawn_at = 0.0
        self._every = _REDRAW_S

    def note(self, text: str) -> None:
        """Keep ``text`` for the next time: every line printed above the tables draws them anew."""
        self._notes.append(text)

    def update(self, look: Callable[[], Snapshot]) -> None:
        """Draw the tables anew when it is time to."""
        now = time.monotonic()
        if now - self._drawn_at < self._every:
            return
        self._drawn_at, begun = now, time.thread_time()
        self._live.update(draw(look(), self._live.console.width), refresh=not self._notes)
        self.print_notes()
        spent = time.thread_time() - begun
        self._every = min(max(spent / _DRAWING_SHARE, _REDRAW_S), _LONGEST_REDRAW_S)

    def print_notes(self) -> None:
        """Print what happened since the last time, and the tables below."""
        if self._notes:
            self._live.console.print("\n".join(self._notes), markup=False, highlight=False)
            self._notes.clear()


class LineView:
    """Prints what happens, and now and then a line on how everything stands."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed_at = time.monotonic()

    def note(self, text: str) -> None:
        """Print ``text``."""
        self._print(text)

    def update(self, look: Callable[[], Snapshot]) -> None:
        """Print a line when half a minute is over."""
        now = time.monotonic()
        if now - self._printed_at >= _LINE_S:
            self._printed_at = now
            self._print(describe_total(look()))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def draw(snapshot: Snapshot, width: int) -> Group:
    """Return the tables of a snapshot for a terminal of ``width`` columns."""
    devices = Table("device", "runs", "held", "set aside", "free", "of", box=None, pad_edge=False)
    for device in snapshot.devices:
        devices.add_row(*_device_cells(device))
    parts: list[Table | Text] = [devices]
    if snapshot.running:
        parts += [Text(), _draw_runs(snapshot.running, width)]
    if snapshot.waiting:
        parts += [Text(), _draw_queue(snapshot.waiting)]
    return Group(*parts, Text(), Text(describe_total(snapshot)))


def describe(snapshot: Snapshot) -> list[str]:
    """Return a snapshot as plain lines: devices, runs, the queue, and the sum."""
    device_rows = [("device", "runs", "held", "set aside", "free", "of"), *map(_device_cells, snapshot.devices)]
    run_rows = [("run", "on", "steps", "memory", "left"), *map(_run_cells, snapshot.running)]
    queue_rows = [("waiting", "priority", "needs", ""), *map(_waiting_cells, snapshot.waiting)]
    tables = [rows for rows in (device_rows, run_rows, queue_rows) if len(rows) > 1]
    lines = [line for rows in tables for line in (*_align(rows), "")]
    return [*lines, describe_total(snapshot)]


def describe_total(snapshot: Snapshot) -> str:
    """Return in one line how many runs are where, and when all will be done.

    >>> describe_total(Snapshot((), (), (), {"finished": 3, "failed": 1}, False, (120.0, 240.0)))
    '3 finished, 1 failed, 0 running, 0 waiting; 2 to 4 min left'
    """
    ended = [f"{count} {status}" for status, count in snapshot.ended.items()]
    counts = ", ".join([*ended, f"{len(snapshot.running)} running", f"{len(snapshot.waiting)} waiting"])
    paused = "; the queue is paused" if snapshot.paused else ""
    left = f"; {format_range(snapshot.remaining)} left" if snapshot.remaining else ""
    return counts + left + paused


def format_range(seconds: tuple[float, float]) -> str:
    """Return a range of durations for people; of one that only its lower end tells something about, that end.

    >>> format_range((5.0, 8.4)), format_range((100.0, 101.0)), format_range((3000.0, 9000.0))
    ('5 to 8 s', '2 min', '0.8 to 2.5 h')
    >>> format_range((600.0, 1_400_000.0))
    'at least 10 min'
    """
    low, high = seconds
    if high >= _HOURS_S and high > _VAGUE * low:
        return f"at least {format_range((low, low))}"
    unit, scale, digits = ("s", 1, 0) if high < 90 else ("min", 60, 0) if high < _HOURS_S else ("h", 3600, 1)
    ends = [f"{end / scale:.{digits}f}" for end in (low, high)]
    return f"{ends[0]} {unit}" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]} {unit}"


def _draw_runs(running: tuple[RunView, ...], width: int) -> Table:
    """Return the runs; where there is little room their names stay whole, so that they can be told apart and typed."""
    table = Table(Column("run", no_wrap=True), box=None, pad_edge=False)
    is_wide, is_narrow = width >= _WITH_BARS, width < _WITH_STEPS
    for heading in ("done", "left") if is_narrow else ("on", "steps", *([""] if is_wide else []), "memory", "left"):
        table.add_column(heading)
    for run in running:
        name, where, steps, memory, left = _run_cells(run)
        total = run.total_steps or 1
        if is_narrow:
            table.add_row(name, f"{run.step / total:.0%}", left)
        else:
            bar = [ProgressBar(total=total, completed=run.step, width=_BAR_WIDTH)] if is_wide else []
            table.add_row(name, where, steps, *bar, memory, left)
    return table


def _draw_queue(waiting: tuple[WaitingView, ...]) -> Table:
    queue = Table(Column("waiting", no_wrap=True), "priority", "needs", "", box=None, pad_edge=False)
    for run in waiting[:_WAITING_SHOWN]:
        queue.add_row(*_waiting_cells(run))
    if len(waiting) > _WAITING_SHOWN:
        queue.add_row(f"and {len(waiting) - _WAITING_SHOWN} more", "", "", "")
    return queue


def _device_cells(device: DeviceView) -> tuple[str, ...]:
    sizes = (device.used_bytes, device.predicted_bytes, device.free_bytes, device.total_bytes)
    name = f"{device.name} ({device.sharing})" if device.sharing else device.name
    return (name, str(device.runs), *map(format_bytes, sizes))


def _run_cells(run: RunView) -> tuple[str, ...]:
    steps = f"{run.step:,}/{run.total_steps:,}" if run.total_steps else "starting"
    left = f"{run.stopping}, stopping" if run.stopping else format_range(run.remaining) if run.remaining else ""
    return (run.id, run.device, steps, f"{format_bytes(run.held_bytes)} of {format_bytes(run.reserved_bytes)}", left)


def _waiting_cells(run: WaitingView) -> tuple[str, ...]:
    return (run.id, str(run.priority), "" if run.bytes is None else format_bytes(run.bytes), run.note)


def _align(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
