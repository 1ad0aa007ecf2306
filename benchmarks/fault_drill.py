"""A sweep under fire: every run has to end exactly once, as it should, and with the bits of an undisturbed run.

Short runs on scikit-learn's digits are dispatched while random workers get SIGKILL, some runs ask for more memory than
was set aside for them, some diverge, and the dispatcher itself is killed twice. Then the journal is checked, and the
weights of every survivor are compared with those of the same run trained alone, undisturbed.

The runs that overrun hold a block of memory beside their training, so that the drill is short; everything else about
them is the real worker's.

Usage: python benchmarks/fault_drill.py [--runs N] [--kills N] [--seed N] [--start fork|spawn] [--folder DIR]
                                        [--out FILE.json]
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from windtunnel.config.data import DataConfig, Digits, OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Cnn
from windtunnel.config.optim import Sgd
from windtunnel.config.run import RuntimeConfig, TrainConfig
from windtunnel.dispatch.devices import cpu_device
from windtunnel.dispatch.dispatcher import Dispatcher, Settings
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.journal import Event, read_journal
from windtunnel.dispatch.order import Order
from windtunnel.dispatch.processes import identify, signal_group
from windtunnel.dispatch.types import Estimate, Job

MIB = 2**20
PROMISED_MIB = 600
BUDGET_MIB = 2000
OVERRUN_MIB = 1500
DISPATCHER_KILLS = 2
KILLS_A_RUN = 2
SETTINGS = Settings(poll_s=0.1, warm_up_s=2.0, retries=KILLS_A_RUN)


@dataclass(frozen=True)
class Kind:
    """What a run of the drill does, and how it has to end."""

    name: str
    status: str
    learning_rate: float = 0.05
    epochs: int = 6


PLAIN, DIVERGES = Kind("plain", "finished"), Kind("diverges", "diverged", 1e30)
# long enough that a living dispatcher sees it beside others
OVERRUNS = Kind("overruns", "finished", epochs=60)


def list_kinds(runs: int) -> list[Kind]:
    """Return the kinds of the runs: of every ten one diverges and one overruns; at least two overrun, side by side."""
    diverging, overrunning = max(runs // 10, 1), max(runs // 10, 2)
    return [*[DIVERGES] * diverging, *[OVERRUNS] * overrunning, *[PLAIN] * (runs - diverging - overrunning)]


def make_jobs(folder: Path, runs: int) -> list[Job]:
    """Return the drill's jobs; a job's id begins with its kind."""
    jobs = []
    for seed, kind in enumerate(list_kinds(runs)):
        experiment = Experiment(
            name="drill",
            seed=seed,
            data=DataConfig(source=Digits(), split=OfficialSplit(validation=0.1), batch_size=32, train_limit=256),
            model=Cnn(widths=(8, 8), hidden=16),
            optim=Sgd(lr=kind.learning_rate),
            train=TrainConfig(epochs=kind.epochs),
            runtime=RuntimeConfig(device="cpu", threads=1, augment_backend="torch"),
        )
        jobs.append(Job(f"{kind.name}-{seed}", experiment, folder / "runs" / f"{kind.name}-{seed}"))
    return jobs


def drill_command(order: Path) -> list[str]:
    """Return the command of a worker: this script, which makes runs of one kind hold more than they should."""
    return [sys.executable, str(Path(__file__).resolve()), "--work", str(order)]


def drill_fork(number: int) -> list[str]:
    """Return the command of the server that forks such workers."""
    return [sys.executable, str(Path(__file__).resolve()), "--fork-server", str(number)]


def work(order: Order) -> int:
    """Be a worker and return its exit code."""
    from windtunnel.dispatch.worker import run_order

    ballast = bytearray(OVERRUN_MIB * MIB) if order.job.startswith(OVERRUNS.name) else b""
    code = run_order(order)
    del ballast
    return code


def serve_forks(number: str) -> None:
    """Be the fork server."""
    from windtunnel.dispatch import fork_server

    fork_server.run_order = work
    sys.argv = [sys.argv[0], number]
    fork_server.main()


def dispatch(folder: Path, runs: int, start: str) -> None:
    """Be the dispatcher."""
    promised = Estimate(bytes=PROMISED_MIB * MIB, seconds=5.0, source="given")
    source = FixedJobs(make_jobs(folder, runs))
    device = cpu_device(memory=BUDGET_MIB * MIB, cores=2)
    Dispatcher(
        folder,
        source,
        [device],
        estimate=lambda experiment: promised,
        settings=SETTINGS,
        command=drill_command,
        fork=drill_fork if start == "fork" else None,
    ).run()


def disturb(folder: Path, runs: int, *, kills: int, seed: int, start: str) -> Counter[str]:
    """Run the sweep, killing workers and dispatchers; return how many of each were killed."""
    chance, killed, victims = random.Random(seed), Counter(), Counter()
    restarts = DISPATCHER_KILLS
    dispatcher = start_dispatcher(folder, runs, start)
    while dispatcher.poll() is None:
        time.sleep(chance.uniform(0.5, 2.0))
        events = read_events(folder)
        ended = sum(event["event"] == "ended" for event in events)
        if killed["workers"] < kills and kill_a_worker(folder, chance, victims):
            killed["workers"] += 1
        due = (DISPATCHER_KILLS - restarts + 1) * runs // (DISPATCHER_KILLS + 1)
        if restarts and has_met_an_overrun(events) and ended >= due:
            dispatcher.kill()
            dispatcher.wait()
            dispatcher = start_dispatcher(folder, runs, start)
            killed["dispatchers"] += 1
            restarts -= 1
    return killed


def has_met_an_overrun(events: list[Event]) -> bool:
    """Say whether a run was stopped for memory; a dispatcher that is killed before cannot show that it would be."""
    return any(event["event"] == "requeued" and event["cause"] == "memory" for event in events)


def start_dispatcher(folder: Path, runs: int, start: str) -> subprocess.Popen[bytes]:
    me = [sys.executable, str(Path(__file__).resolve())]
    command = [*me, "--dispatch", str(folder), "--runs", str(runs), "--start", start]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


def kill_a_worker(folder: Path, chance: random.Random, victims: Counter[str]) -> bool:
    """Kill a plain run's worker that has not been killed too often; return whether there was one."""
    alive: dict[str, Event] = {}
    for event in read_events(folder):
        if event["event"] == "admitted":
            alive[event["job"]] = event
        elif event["event"] in ("requeued", "ended"):
            alive.pop(event["job"], None)
    candidates = [
        event
        for job, event in alive.items()
        if job.startswith(PLAIN.name) and victims[job] < KILLS_A_RUN and identify(event["pid"]) == event["identity"]
    ]
    if not candidates:
        return False
    victim = chance.choice(candidates)
    victims[victim["job"]] += 1
    return signal_group(victim["pid"], signal.SIGKILL)


def read_events(folder: Path) -> list[Event]:
    return read_journal(folder / "dispatch" / "journal.jsonl")


def find_faults(folder: Path, undisturbed: Path, runs: int) -> list[str]:
    """Return everything that is not as it has to be, in words."""
    events = read_events(folder)
    ended = [event for event in events if event["event"] == "ended"]
    times = Counter(event["job"] for event in ended)
    status = {event["job"]: event["status"] for event in ended}
    faults = [f"{job} ended {times[job]} times" for job in {*times, *status} if times[job] != 1]
    for job in make_jobs(folder, runs):
        expected = next(kind.status for kind in (PLAIN, DIVERGES, OVERRUNS) if job.id.startswith(kind.name))
        if status.get(job.id) != expected:
            faults.append(f"{job.id} is {status.get(job.id)}, not {expected}")
        if expected == "finished" and not same_bits(job.folder, undisturbed / "runs" / job.id):
            faults.append(f"{job.id} ended with other weights or figures than undisturbed")
    return faults


def same_bits(first: Path, second: Path) -> bool:
    """Say whether two runs ended with the same weights and the same figures of every epoch, but for time and memory."""
    from safetensors.torch import load_file

    from windtunnel.track.files import read_rows

    weights = [load_file(folder / "checkpoints" / "last.safetensors") for folder in (first, second)]
    measured = ("seconds", "images_per_second", "memory_bytes")
    figures = [
        [
            {name: value for name, value in row.items() if name not in measured}
            for row in read_rows(folder / "metrics.csv")
        ]
        for folder in (first, second)
    ]
    return figures[0] == figures[1] and all(weights[0][name].equal(weights[1][name]) for name in weights[0])


def train_undisturbed(folder: Path, runs: int) -> None:
    """Train every run of the drill that will survive, one after another in this process."""
    from windtunnel.training.run import train_in

    for job in make_jobs(folder, runs):
        if not job.id.startswith(DIVERGES.name):
            train_in(job.folder, job.experiment)


def drill(folder: Path, *, runs: int, kills: int, seed: int, start: str = "fork") -> dict[str, object]:
    """Go through the whole drill and return what happened."""
    (folder / "disturbed").mkdir(parents=True)
    train_undisturbed(folder / "undisturbed", runs)
    begun = time.monotonic()
    killed = disturb(folder / "disturbed", runs, kills=kills, seed=seed, start=start)
    events = read_events(folder / "disturbed")
    causes = Counter(event["cause"] for event in events if event["event"] == "requeued")
    return {
        "runs": runs,
        "workers": f"started by {start}",
        "seconds": round(time.monotonic() - begun, 1),
        "killed": dict(killed),
        "requeued": dict(causes),
        "ended": dict(Counter(event["status"] for event in events if event["event"] == "ended")),
        "faults": find_faults(folder / "disturbed", folder / "undisturbed", runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--kills", type=int, default=12, help="workers to kill")
    parser.add_argument("--seed", type=int, default=0, help="seed of what is killed when")
    parser.add_argument("--folder", type=Path, help="where to work; default a temporary folder")
    parser.add_argument("--out", type=Path, help="write what happened as JSON")
    parser.add_argument("--start", choices=("fork", "spawn"), default="fork", help="how workers are started")
    parser.add_argument("--fork-server", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dispatch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fork_server:
        serve_forks(options.fork_server)
        return
    if options.work:
        sys.exit(work(Order.read(options.work)))
    if options.dispatch:
        dispatch(options.dispatch, options.runs, options.start)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        report = drill(folder, runs=options.runs, kills=options.kills, seed=options.seed, start=options.start)
    text = json.dumps(report, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    sys.exit(bool(report["faults"]))


if __name__ == "__main__":
    main()
