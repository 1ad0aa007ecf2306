"""The dispatcher over a day's work in minutes: does it grow?

Two thousand runs that train nothing go through the real dispatcher, its journal, its fork server and its tables; it
looks at them about as often as it would in a day. Of every hundred some kill themselves, crash, hang, diverge, run out
of memory, cannot be run, are stopped early or are cancelled. From outside, its resident memory, open descriptors,
threads, child processes, zombies and the journal's size are read all the while, the fork server's with it.

Growth is the slope over the last three quarters of the runs, by least squares over the means of twelve stretches, with
its 95% interval. Memory may grow by what is kept of each outcome, MEMORY_KIB_A_RUN; descriptors and threads not at all.

Usage: python benchmarks/soak.py [--runs N] [--side-by-side N] [--start fork|spawn] [--poll SECONDS]
                                 [--folder DIR] [--out FILE.json] [--picture FILE.png]
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from windtunnel.config.data import DataConfig, Digits
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Cnn
from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.dispatcher import Dispatcher, Settings
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.journal import Event, read_journal
from windtunnel.dispatch.live import show_live
from windtunnel.dispatch.processes import identify
from windtunnel.dispatch.snapshot import View
from windtunnel.dispatch.types import Estimate, Job

MIB, KIB = 2**20, 2**10
WORKER = Path(__file__).with_name("_soak_worker.py")
LOOKS_A_DAY = 86_400  # one a second
MEMORY_KIB_A_RUN = 8.0
STRETCHES = 12
FIGURES = {
    "resident_mib": "dispatcher, MiB resident",
    "server_mib": "fork server, MiB resident",
    "descriptors": "open descriptors",
    "threads": "threads",
    "children": "workers alive",
    "zombies": "zombies",
    "journal_kib": "journal, KiB",
}
BEAT_S = 5.0


@dataclass(frozen=True)
class Kind:
    """Runs of one sort: how many of a hundred, how each has to end, and how many workers it takes."""

    of_a_hundred: int
    status: str
    attempts: int = 1


KINDS = {
    "quick": Kind(50, "finished"),
    "slow": Kind(24, "finished"),
    "killed": Kind(8, "finished", 2),
    "crashes": Kind(4, "failed", 3),
    "hungry": Kind(4, "finished", 2),
    "diverges": Kind(4, "diverged"),
    "refused": Kind(2, "failed"),
    "pruned": Kind(2, "pruned"),
    "hangs": Kind(1, "finished", 2),
    "cancelled": Kind(1, "cancelled"),
}


@dataclass(frozen=True)
class Sample:
    """The dispatcher and its fork server at one moment; counts are of both together."""

    seconds: float
    ended: int
    resident_mib: float
    server_mib: float
    descriptors: int
    threads: int
    children: int
    zombies: int
    journal_kib: float


@dataclass(frozen=True)
class Growth:
    """By how much a figure grows with every run that ends, with the ends of its 95% interval."""

    slope: float
    low: float
    high: float


# The dispatcher, in a process of its own


class SoakJobs(FixedJobs):
    """Stops runs of one kind early and cancels those of another."""

    def __init__(self, jobs: list[Job], control: Path) -> None:
        super().__init__(jobs)
        self._control = control

    def progress(self, job: str, epoch: int, metrics: dict[str, float]) -> bool:
        """Say whether the run should go on."""
        if job.startswith("cancelled") and epoch == 1:
            send_wish(self._control, Wish("cancel", job))
        return not (job.startswith("pruned") and epoch >= 2)


class CountingView:
    """Passes everything on to another view and counts how often the dispatcher looked."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.looks = 0

    def note(self, text: str) -> None:
        """Pass it on."""
        self._view.note(text)

    def update(self, look: Any) -> None:
        """Count, and pass it on."""
        self.looks += 1
        self._view.update(look)


def make_jobs(folder: Path, runs: int) -> list[Job]:
    """Return the jobs in an order of their own; a job's id begins with its kind."""
    of_each = [kind for kind, share in KINDS.items() for _ in range(share.of_a_hundred)]
    rest = runs % 100
    kinds = of_each * (runs // 100) + [of_each[-1 - number * 100 // rest] for number in range(rest)]
    random.Random(0).shuffle(kinds)
    experiment = Experiment(name="soak", data=DataConfig(source=Digits()), model=Cnn(widths=(8,), hidden=8))
    ids = [f"{kind}-{number:04d}" for number, kind in enumerate(kinds)]
    return [Job(id, experiment, folder / "runs" / id) for id in ids]


def dispatch(folder: Path, *, runs: int, side_by_side: int, start: str, poll_s: float) -> None:
    """Be the dispatcher; how often it looked is left in looks.json."""
    from rich.console import Console

    source = SoakJobs(make_jobs(folder, runs), folder / "dispatch" / "control.jsonl")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        with show_live(Console(file=nowhere, force_terminal=True, width=120)) as tables:
            view = CountingView(tables)
            Dispatcher(
                folder,
                source,
                [Device("cpu", "cpu", 10**12, cores=side_by_side)],
                estimate=lambda experiment: Estimate(bytes=MIB, seconds=1.0, source="given"),
                settings=Settings(poll_s=poll_s, grace_s=2.0, beat_s=BEAT_S, warm_up_s=0.0),
                command=lambda order: [sys.executable, "-I", "-S", str(WORKER), str(order)],
                fork=fork_command if start == "fork" else None,
                free=lambda device: 10**12,
                view=view,
            ).run()
    (folder / "looks.json").write_text(json.dumps(view.looks))


def fork_command(number: int) -> list[str]:
    """Return the command of the server that forks the fake workers."""
    return [sys.executable, str(Path(__file__).resolve()), "--fork-server", str(number)]


def serve_forks(number: str) -> None:
    """Be the fork server."""
    from _soak_worker import Worker
    from windtunnel.dispatch import fork_server

    fork_server.PRELOADED = ()
    fork_server.run_order = lambda order: Worker(asdict(order)).work()
    sys.argv = [sys.argv[0], number]
    fork_server.main()


# Watching it from outside


class JournalTail:
    """Counts the ends in a journal that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.ended = 0

    def read(self) -> int:
        """Return its size in bytes and count on."""
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        self._offset += len(text)
        self.ended += text.count(b'{"event": "ended"')
        return self._offset


def watch(process: subprocess.Popen[bytes], folder: Path, every_s: float) -> Iterator[Sample]:
    """Yield samples until the dispatcher has ended."""
    dispatcher, begun = psutil.Process(process.pid), time.monotonic()
    journal = JournalTail(folder / "dispatch" / "journal.jsonl")
    while process.poll() is None:
        size = journal.read()
        try:
            sample = take_sample(dispatcher, time.monotonic() - begun, journal.ended, size)
        except psutil.NoSuchProcess:  # something ended between two questions
            continue
        if sample.resident_mib > 0:  # else it has just ended
            yield sample
        time.sleep(every_s)


def take_sample(dispatcher: psutil.Process, seconds: float, ended: int, journal_bytes: int) -> Sample:
    children = dispatcher.children(recursive=True)
    servers = [child for child in dispatcher.children() if is_server(child)]
    both = [dispatcher, *servers]
    return Sample(
        seconds=round(seconds, 2),
        ended=ended,
        resident_mib=dispatcher.memory_info().rss / MIB,
        server_mib=sum(server.memory_info().rss for server in servers) / MIB,
        descriptors=sum(each.num_fds() for each in both),
        threads=sum(each.num_threads() for each in both),
        children=len(children) - len(servers),
        zombies=sum(status_of(child) == psutil.STATUS_ZOMBIE for child in children),
        journal_kib=journal_bytes / KIB,
    )


def is_server(process: psutil.Process) -> bool:
    """Say whether a direct child of the dispatcher is its fork server."""
    try:
        return "--fork-server" in process.cmdline()
    except psutil.Error:
        return False


def status_of(process: psutil.Process) -> str:
    """Return a process's state, or ``""`` when it is gone."""
    try:
        return str(process.status())
    except psutil.Error:
        return ""


def soak(folder: Path, *, runs: int, side_by_side: int, start: str, poll_s: float, every_s: float) -> dict[str, Any]:
    """Go through the whole soak and return its samples and what they come to."""
    me = [sys.executable, str(Path(__file__).resolve()), "--dispatch", str(folder), "--runs", str(runs)]
    process = subprocess.Popen([*me, "--side-by-side", str(side_by_side), "--start", start, "--poll", str(poll_s)])
    samples = list(watch(process, folder, every_s))
    events = read_journal(folder / "dispatch" / "journal.jsonl")
    growth = {name: find_growth(samples, name, runs) for name in FIGURES}
    report = {
        "runs": runs,
        "side_by_side": side_by_side,
        "workers": f"started by {start}",
        "started": sum(event["event"] == "admitted" for event in events),
        "ended": dict(Counter(event["status"] for event in events if event["event"] == "ended")),
        "seconds": samples[-1].seconds,
        "looks": json.loads((folder / "looks.json").read_text()) if process.returncode == 0 else None,
        "growth_a_run": {name: asdict(each) for name, each in growth.items()},
        "faults": [*find_faults(events, process.returncode, runs), *find_leaks(samples, growth, side_by_side)],
        "samples": [asdict(sample) for sample in samples],
    }
    return report


# What it came to


def find_growth(samples: list[Sample], name: str, runs: int) -> Growth:
    """Return a figure's slope over the last three quarters of the runs, by least squares over means of stretches."""
    from scipy import stats

    late = [(sample.ended, float(getattr(sample, name))) for sample in samples if runs / 4 <= sample.ended < runs]
    count = min(STRETCHES, len(late) // 2)
    if count < 3:
        return Growth(0.0, -math.inf, math.inf)
    bounds = [number * len(late) // count for number in range(count + 1)]
    stretches = [late[bounds[number] : bounds[number + 1]] for number in range(count)]
    ended = [statistics.fmean(at for at, _ in stretch) for stretch in stretches]
    values = [statistics.fmean(value for _, value in stretch) for stretch in stretches]
    line = stats.linregress(ended, values)
    half = float(stats.t.ppf(0.975, count - 2) * line.stderr) if min(values) < max(values) else 0.0
    return Growth(float(line.slope), float(line.slope) - half, float(line.slope) + half)


def find_faults(events: list[Event], code: int, runs: int) -> list[str]:
    """Return what is not as it has to be after the end, in words."""
    faults = [] if code == 0 else [f"the dispatcher ended with exit code {code}"]
    ends = [event for event in events if event["event"] == "ended"]
    times = Counter(event["job"] for event in ends)
    faults += [f"{len(times)} of {runs} runs ended"] if len(times) != runs else []
    faults += [f"{job} ended {count} times" for job, count in times.items() if count != 1]
    for event in ends:
        kind = KINDS[event["job"].split("-")[0]]
        if event["status"] != kind.status:
            faults.append(f"{event['job']} is {event['status']}, not {kind.status}: {event['reason']}")
    admitted = [event for event in events if event["event"] == "admitted"]
    faults += [f"a worker of {one['job']} still lives" for one in admitted if identify(one["pid"]) == one["identity"]]
    return faults


def find_leaks(samples: list[Sample], growth: dict[str, Growth], side_by_side: int) -> list[str]:
    """Return the figures that grow beyond what they may, in words.

    The whole interval has to lie above it, and the growth over the soak above what comes and goes with the workers that
    live at the moment.
    """
    allowed = {"resident_mib": MEMORY_KIB_A_RUN / KIB, "server_mib": 0.0, "descriptors": 0.0, "threads": 0.0}
    allowed |= {"children": 0.0, "zombies": 0.0}
    runs = samples[-1].ended
    faults = [
        f"{FIGURES[name]} grow by {1000 * each.slope:.2f} per 1000 runs"
        for name, each in growth.items()
        if name in allowed and each.low > allowed[name] and (each.slope - allowed[name]) * runs >= 3 * side_by_side
    ]
    most = max(sample.zombies for sample in samples)
    return [*faults, f"{most} zombies at once"] if most > side_by_side else faults


def print_table(report: dict[str, Any]) -> None:
    """Print the means of every quarter of the runs, the highest value and the growth."""
    samples, runs = [Sample(**values) for values in report["samples"]], report["runs"]
    print(f"{'':<28}{'1st':>9}{'2nd':>9}{'3rd':>9}{'4th quarter':>13}{'highest':>10}  growth per 1000 runs (95%)")
    for name, title in FIGURES.items():
        quarters: list[list[float]] = [[], [], [], []]
        for sample in samples:
            quarters[min(4 * sample.ended // runs, 3)].append(getattr(sample, name))
        means = [f"{statistics.fmean(each):.1f}" if each else "" for each in quarters]
        highest = max(getattr(sample, name) for sample in samples)
        slope, low, high = (1000 * report["growth_a_run"][name][end] for end in ("slope", "low", "high"))
        cells = f"{means[0]:>9}{means[1]:>9}{means[2]:>9}{means[3]:>13}{highest:>10.1f}"
        print(f"{title:<28}{cells}  {slope:+.3f} ({low:+.3f} to {high:+.3f})")


def print_verdict(report: dict[str, Any]) -> None:
    """Print what happened in sentences."""
    ends = ", ".join(f"{count} {status}" for status, count in sorted(report["ended"].items()))
    print(f"{report['runs']} runs by {report['started']} workers, {report['side_by_side']} side by side, in "
          f"{report['seconds']:.0f} s: {ends}")  # fmt: skip
    print(f"the dispatcher looked {report['looks']} times; once a second for a day is {LOOKS_A_DAY}")
    for fault in report["faults"]:
        print(f"FAULT: {fault}")
    if not report["faults"]:
        print("nothing grows, no process is left, and every run ended once and as it should")


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw every figure over the runs that ended."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 2).flat
    ended = [sample["ended"] for sample in report["samples"]]
    for name, title in FIGURES.items():
        axis = next(axes)
        axis.plot(ended, [sample[name] for sample in report["samples"]], linewidth=0.8)
        axis.axvline(report["runs"] / 4, color="0.7", linewidth=0.8)
        axis.set(title=title, xlabel="runs ended", xlim=(0, report["runs"]))
        axis.set_ylim(bottom=0)
    axis = next(axes)
    axis.plot([sample["seconds"] for sample in report["samples"]], ended, linewidth=0.8)
    axis.set(title="runs ended", xlabel="seconds")
    figure.suptitle("The dispatcher over a day's work; growth is read to the right of the grey line")
    figure.savefig(path, dpi=100)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--side-by-side", type=int, default=4, help="runs at a time")
    parser.add_argument("--start", choices=("fork", "spawn"), default="fork", help="how workers are started")
    parser.add_argument("--poll", type=float, default=0.001, help="seconds between two looks")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two samples")
    parser.add_argument("--folder", type=Path, help="where to work; default a temporary folder")
    parser.add_argument("--out", type=Path, help="write the samples and what they come to as JSON")
    parser.add_argument("--picture", type=Path, help="draw the curves as PNG")
    parser.add_argument("--fork-server", help=argparse.SUPPRESS)
    parser.add_argument("--dispatch", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    how = {"runs": options.runs, "side_by_side": options.side_by_side, "start": options.start, "poll_s": options.poll}
    if options.fork_server:
        serve_forks(options.fork_server)
        return
    if options.dispatch:
        dispatch(options.dispatch, **how)
        return
    with tempfile.TemporaryDirectory() as temporary:
        report = soak(options.folder or Path(temporary), **how, every_s=options.every)
    print_table(report)
    print_verdict(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    if options.picture:
        draw(report, options.picture)
    sys.exit(bool(report["faults"]))


if __name__ == "__main__":
    main()
