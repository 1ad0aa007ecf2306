"""What the dispatcher itself costs while others work: its share of a core and its memory.

Workers that only sleep, with heartbeats and metrics as real ones write them, run side by side while a thousand more
jobs wait in the queue; the tables of a terminal are drawn meanwhile. The dispatcher's processor time and resident
memory are read at the end.

Usage: python benchmarks/dispatch_overhead.py [--workers N] [--queued N] [--seconds S] [--out FILE.json]
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from rich.console import Console

from windtunnel.config.data import DataConfig, Digits
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Cnn
from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.dispatcher import Dispatcher
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.live import show_live
from windtunnel.dispatch.snapshot import View
from windtunnel.dispatch.types import Estimate, Job

MIB = 2**20
WORKER = """
import json, sys, time
from pathlib import Path
order = json.loads(Path(sys.argv[1]).read_text())
folder = Path(order["folder"])
folder.mkdir(parents=True, exist_ok=True)
metrics = folder / "metrics.csv"
metrics.write_text("epoch,val_accuracy\\n")
for beat in range(int(2 * float(sys.argv[2]))):
    values = {"attempt": 1, "beat": beat, "step": beat, "total_steps": 10000, "reports": beat // 10, "peak_bytes": 1}
    temporary = Path(order["heartbeat"] + ".tmp")
    temporary.write_text(json.dumps(values))
    temporary.replace(order["heartbeat"])
    if beat % 10 == 9:
        with metrics.open("a") as file:
            file.write(f"{beat // 10 + 1},0.5\\n")
    time.sleep(0.5)
"""


def measure(folder: Path, view: View, *, workers: int, queued: int, seconds: float) -> dict[str, float]:
    """Return the dispatcher's share of a core and its memory over ``seconds``, once all workers have started."""
    experiment = Experiment(name="sleeps", data=DataConfig(source=Digits()), model=Cnn(widths=(8,), hidden=8))
    jobs = [Job(f"job-{index}", experiment, folder / "runs" / f"job-{index}") for index in range(workers + queued)]
    device = Device("cpu", "cpu", 10**12, cores=workers)
    dispatcher = Dispatcher(
        folder,
        FixedJobs(jobs),
        [device],
        estimate=lambda experiment: Estimate(bytes=MIB, seconds=60.0, source="given"),
        command=lambda order: [sys.executable, "-I", "-S", "-c", WORKER, str(order), str(10 * seconds + 60)],
        free=lambda device: 10**12,
        view=view,
    )
    figures: dict[str, float] = {}

    def watch() -> None:
        me = psutil.Process()
        while len(me.children()) < workers:
            time.sleep(0.2)
        time.sleep(2.0)
        before, start = me.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after = me.cpu_times()
        spent = after.user + after.system - before.user - before.system
        figures["core_share"] = spent / (time.monotonic() - start)
        figures["resident_mib"] = me.memory_info().rss / MIB
        for job in jobs:
            send_wish(folder / "dispatch" / "control.jsonl", Wish("cancel", job.id))

    thread = threading.Thread(target=watch)
    thread.start()
    dispatcher.run()
    thread.join()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8, help="runs side by side")
    parser.add_argument("--queued", type=int, default=1000, help="runs waiting")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to measure")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            console = Console(file=nowhere, force_terminal=True, width=120)
            with show_live(console) as view:
                figures = measure(
                    Path(folder), view, workers=options.workers, queued=options.queued, seconds=options.seconds
                )
    figures |= {"workers": options.workers, "queued": options.queued, "torch_imported": float("torch" in sys.modules)}
    print(f"{options.workers} runs side by side, {options.queued} waiting, over {options.seconds:g} s:")
    print(f"  {figures['core_share']:.2%} of a core, {figures['resident_mib']:.0f} MiB resident")
    print(f"  torch imported: {'yes' if figures['torch_imported'] else 'no'}")
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
