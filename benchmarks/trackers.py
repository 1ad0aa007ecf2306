"""What each tracker adds to an epoch of about one second.

Every tracker's process is up throughout. In each round each of them, in an order drawn anew, is handed the report of an
epoch and then the same number of training steps is timed, so that what its process does with the report falls into that
time; before the next one's turn it gets a pause to become idle again. The overhead is the median of the ratios to the
same round's epoch without a tracker. Everything is kept local: W&B offline, MLflow in SQLite, trackio in its database.

    python benchmarks/trackers.py [--rounds 30] [--seconds 1] [--threads 1]
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import psutil
import torch

from windtunnel.config.files import dump_yaml
from windtunnel.core.device import describe_device, synchronize
from windtunnel.core.files import write_json, write_text
from windtunnel.core.reports import EpochReport, StepDone
from windtunnel.recipes import load_experiment
from windtunnel.track.choice import TRACKERS, choose_trackers
from windtunnel.track.relay import Relay
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

PAUSE_S, WARM_UP_STEPS, CALIBRATION_STEPS, MIB = 0.3, 20, 60, 1 << 20
NONE, ALL = "none", "all four at once"


class Trainer:
    """The quickstart's network, trained for as long as it is asked to."""

    def __init__(self, experiment):
        self.parts = assemble(experiment)
        initialise_from_data(self.parts)
        self.state = TrainState.fresh(self.parts.device)
        self.batches = iter(())

    def train(self, steps, relays):
        """Train and tell ``relays`` of every step."""
        for _ in range(steps):
            batch = next(self.batches, None)
            if batch is None:
                self.batches = self.parts.loader.epoch(self.state.step // self.parts.steps_per_epoch)
                batch = next(self.batches)
            train_step(self.parts, self.state, batch)
            for relay in relays:
                relay.step(StepDone(self.state.step, 10**6, 0))
        synchronize(self.parts.device)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of an epoch")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        keep_local(Path(scratch))
        measure(Path(scratch), arguments.rounds, arguments.seconds)


def keep_local(scratch):
    os.environ |= {
        "WANDB_MODE": "offline",
        "MLFLOW_TRACKING_URI": f"sqlite:///{scratch / 'mlflow.db'}",
        "TRACKIO_DIR": str(scratch / "trackio"),
    }


def measure(scratch, rounds, seconds):
    experiment = load_experiment("quickstart", ["train.epochs=1000000"])
    trainer = Trainer(experiment)
    write_text(scratch / "config.yaml", dump_yaml(experiment))
    write_json(scratch / "env.json", {})
    steps = calibrate(trainer, seconds)
    relays, starts, processes = start_all(trainer.parts.info(str(scratch), 0))
    contestants = {NONE: (), **{relay.name: (relay,) for relay in relays}, ALL: relays}
    times = {name: [] for name in contestants}
    order = list(contestants)
    shuffle = random.Random(0).shuffle
    before = {name: cpu_seconds(own) for name, own in processes.items()}
    for turn in range(rounds):
        shuffle(order)
        for name in order:
            times[name].append(time_epoch(trainer, steps, contestants[name], turn + 1))
    reports = 2 * rounds  # alone and with the others
    loads = {
        name: (1000 * (cpu_seconds(own) - before[name]) / reports, sum(one.memory_info().rss for one in own) / MIB)
        for name, own in processes.items()
    }
    for relay in relays:
        relay.end({})
    for relay in relays:
        assert relay.has_ended(60), f"{relay.name} does not end"
    print(f"\n{describe_device(trainer.parts.device)}, torch {torch.__version__}, {rounds} rounds of {steps} steps\n")
    print_table(times, starts, loads)


def calibrate(trainer, seconds):
    """Return the number of steps that take ``seconds``."""
    trainer.train(WARM_UP_STEPS, ())
    start = time.perf_counter()
    trainer.train(CALIBRATION_STEPS, ())
    return max(1, round(seconds * CALIBRATION_STEPS / (time.perf_counter() - start)))


def start_all(info):
    """Start every tracker; return them, the seconds each start held up training, and each one's processes."""
    relays, starts, processes = [], {}, {}
    for choice in choose_trackers(list(TRACKERS)).choices:
        said = []
        relay = Relay(choice, said.append)
        before = set(psutil.Process().children(recursive=True))
        start = time.perf_counter()
        relay.start(info)
        starts[relay.name] = time.perf_counter() - start
        while not said:
            time.sleep(0.05)
            relay.say_what_is_new()
        assert said[0].kind == "note", said[0].text
        processes[relay.name] = set(psutil.Process().children(recursive=True)) - before
        relays.append(relay)
    return tuple(relays), starts, processes


def cpu_seconds(processes):
    return sum(process.cpu_times().user + process.cpu_times().system for process in processes)


def time_epoch(trainer, steps, relays, epoch):
    time.sleep(PAUSE_S)
    report = EpochReport(epoch, epoch * steps, 0.5, 0.9, 0.4, 0.91, 0.1, 1.0, 1500.0, memory_bytes=MIB)
    start = time.perf_counter()
    for relay in relays:
        relay.epoch(report)
    trainer.train(steps, relays)
    return time.perf_counter() - start


def print_table(times, starts, loads):
    print(
        "| tracker | epoch, s | ratio to none | quartiles | start holds up training | its CPU an epoch | its memory |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, own in times.items():
        ratios = [one / none for one, none in zip(own, times[NONE], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        spread = "" if name == NONE else f"{low:.3f} to {high:.3f}"
        load = (
            f"{1000 * starts[name]:.0f} ms | {loads[name][0]:.1f} ms | {loads[name][1]:.0f} MiB"
            if name in starts
            else "| |"
        )
        print(f"| {name} | {statistics.median(own):.3f} | {middle:.3f} | {spread} | {load} |")


if __name__ == "__main__":
    main()
