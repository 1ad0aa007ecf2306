"""Makespan over its lower bound for every packing policy, simulated over three kinds of sweep.

Each sweep is 32 runs on GPUs of 16 GiB with 0.45 GiB of context a run. Memory and seconds are log-normal, compute
shares uniform: `mixed` has a quarter of large runs, `tiny` nets hardly use the device, `heavy` ones fill its memory.
Runs share compute as a fluid and lose 3% for each further run beside them; both are assumptions
(dispatch/simulation.py).
Durations are played as estimated, and with each run's estimate off by a log-normal factor.

Usage: python benchmarks/packing.py [--seeds N] [--noise SIGMA] [--out FILE.json]
"""

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from windtunnel.dispatch.bounds import lower_bound
from windtunnel.dispatch.packing import POLICIES, DeviceLoad, Task
from windtunnel.dispatch.portfolio import AUTO, choose_policy
from windtunnel.dispatch.simulation import simulate

GPU_GIB, CONTEXT_GIB, RUNS = 16.0, 0.45, 32
LONGEST_MIN = 120.0
GPUS = (1, 4)


def minutes(generator: random.Random, median: float) -> float:
    return min(LONGEST_MIN, generator.lognormvariate(math.log(median), 0.6))


def mixed_run(generator: random.Random) -> tuple[float, float, float]:
    """Return GiB, compute share and minutes."""
    if generator.random() < 0.25:
        gib = CONTEXT_GIB + generator.lognormvariate(math.log(4.0), 0.45)
        return min(gib, 11.0), generator.uniform(0.5, 1.0), minutes(generator, 25)
    gib = CONTEXT_GIB + generator.lognormvariate(math.log(0.9), 0.6)
    return min(gib, 11.0), generator.uniform(0.12, 0.6), minutes(generator, 14)


def tiny_run(generator: random.Random) -> tuple[float, float, float]:
    """Return GiB, compute share and minutes."""
    gib = CONTEXT_GIB + generator.lognormvariate(math.log(0.12), 0.5)
    return gib, generator.uniform(0.04, 0.16), minutes(generator, 14)


def heavy_run(generator: random.Random) -> tuple[float, float, float]:
    """Return GiB, compute share and minutes."""
    gib = CONTEXT_GIB + generator.lognormvariate(math.log(4.5), 0.5)
    return min(gib, 15.5), generator.uniform(0.1, 0.4), minutes(generator, 14)


KINDS: dict[str, Callable[[random.Random], tuple[float, float, float]]] = {
    "mixed": mixed_run,
    "tiny": tiny_run,
    "heavy": heavy_run,
}


def draw_sweep(kind: str, seed: int, runs: int = RUNS) -> list[Task]:
    """Return the runs of one sweep, memory in GiB and durations in minutes."""
    generator = random.Random(seed)
    return [Task(str(index), *KINDS[kind](generator)) for index in range(runs)]


def measure(kind: str, gpus: int, policy_name: str, seeds: int, noise: float) -> float:
    """Return the mean over seeds of makespan / lower bound."""
    devices = [DeviceLoad(f"gpu{index}", GPU_GIB, GPU_GIB) for index in range(gpus)]
    ratios = []
    for seed in range(seeds):
        tasks = draw_sweep(kind, seed)
        errors = random.Random(1000 + seed)
        seen = [replace(task, seconds=task.seconds * math.exp(errors.gauss(0, noise))) for task in tasks]
        truth = {task.id: task.seconds for task in tasks}
        policy = choose_policy(policy_name, seen, devices)
        makespan = simulate(seen, devices, policy, true_seconds=truth).makespan
        ratios.append(makespan / lower_bound(tasks, devices).seconds)
    return statistics.mean(ratios)


def time_planning(runs: int = 1000, gpus: int = 4) -> float:
    """Return the seconds to choose a policy for a long queue, play it to its end and bound it."""
    devices = [DeviceLoad(f"gpu{index}", GPU_GIB, GPU_GIB) for index in range(gpus)]
    tasks = draw_sweep("mixed", 0, runs)
    start = time.perf_counter()
    simulate(tasks, devices, choose_policy(AUTO, tasks, devices))
    lower_bound(tasks, devices)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40, help="sweeps of each kind")
    parser.add_argument("--noise", type=float, default=0.6, help="log-normal error of duration estimates")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    cases = [(kind, gpus) for kind in KINDS for gpus in GPUS]
    print(f"{'policy':<16}" + "".join(f"{f'{kind} x{gpus}':>16}" for kind, gpus in cases))
    figures = {}
    for policy in (AUTO, *POLICIES):
        rows = {
            f"{kind} x{gpus}": [measure(kind, gpus, policy, options.seeds, noise) for noise in (0.0, options.noise)]
            for kind, gpus in cases
        }
        figures[policy] = rows
        print(f"{policy:<16}" + "".join(f"{f'{exact:.3f} / {noisy:.3f}':>16}" for exact, noisy in rows.values()))
    planning = time_planning()
    print(f"each: makespan / lower bound with exact durations / with errors of sigma {options.noise:g}")
    print(f"1,000 queued runs on 4 GPUs planned to the end in {planning:.2f} s")
    if options.out:
        options.out.write_text(json.dumps({"ratios": figures, "planning_seconds": planning}, indent=2) + "\n")


if __name__ == "__main__":
    main()
