"""Sixteen tiny runs: packed by a sweep under a memory budget, beside one after the other with both cores each.

``packed``        windtunnel sweep --threads 1 --memory BUDGET
``started anew``  the same with --start spawn: every worker imports torch for itself
``one by one``    windtunnel train, once for each run, with as many threads as there are cores
``one at a time`` windtunnel sweep --policy one_per_device, with as many threads as there are cores

All train the same sixteen settings of a small convnet on the digits that ship with scikit-learn (four learning rates,
four seeds) and read no test images. Each is started anew for every repeat, in alternating order; times are wall clock
from command to exit. The last training losses of both are compared.

    python benchmarks/sweep.py [--epochs 30] [--repeats 1] [--memory 3GB] [--out sweep.json]
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATES, SEEDS = (0.01, 0.03, 0.1, 0.3), (0, 1, 2, 3)
WINDTUNNEL = (sys.executable, "-m", "windtunnel.cli.main")
SWEEP = """
base: quickstart
name: sixteen
project: bench
space:
  optim.lr: {rates}
seeds: {seeds}
fixed: {{train.epochs: {epochs}}}
"""


def command(*words):
    finished = subprocess.run([*WINDTUNNEL, *words], capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.exit(f"{' '.join(words)} ended with {finished.returncode}:\n{finished.stdout}\n{finished.stderr}")


def sweep(folder, options, *words):
    path = folder / "sixteen.yaml"
    path.write_text(SWEEP.format(rates=list(RATES), seeds=list(SEEDS), epochs=options.epochs))
    command("sweep", str(path), "--runs-dir", str(folder / "runs"), *words)


def packed(folder, options):
    sweep(folder, options, "--threads", "1", "--memory", options.memory)


def started_anew(folder, options):
    sweep(folder, options, "--threads", "1", "--memory", options.memory, "--start", "spawn")


def one_at_a_time(folder, options):
    sweep(folder, options, "--policy", "one_per_device", "--threads", str(os.cpu_count()))


def one_by_one(folder, options):
    for rate in RATES:
        for seed in SEEDS:
            settings = [f"optim.lr={rate}", f"train.epochs={options.epochs}", "evaluate.test=false"]
            threads = f"runtime.threads={os.cpu_count()}"
            command("train", "quickstart", *settings, threads, "--seed", str(seed), "--runs-dir", str(folder / "runs"))


CONTESTANTS = {"packed": packed, "started anew": started_anew, "one by one": one_by_one, "one at a time": one_at_a_time}


def count_runs(folder):
    """Return how many runs ended well."""
    summaries = [json.loads(path.read_text()) for path in folder.rglob("summary.json")]
    return sum(summary["status"] == "finished" for summary in summaries)


def last_losses(folder):
    """Return the sorted last training losses."""
    rows = [list(csv.DictReader(path.open()))[-1] for path in folder.rglob("metrics.csv")]
    return sorted(float(row["train_loss"]) for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--memory", default="3GB")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seconds, losses = {name: [] for name in CONTESTANTS}, {}
    for repeat in range(options.repeats):
        for name in CONTESTANTS if repeat % 2 == 0 else reversed(CONTESTANTS):
            with tempfile.TemporaryDirectory() as text:
                folder = Path(text)
                start = time.perf_counter()
                CONTESTANTS[name](folder, options)
                seconds[name].append(time.perf_counter() - start)
                if (ended := count_runs(folder)) != 16:
                    sys.exit(f"{name}: {ended} of 16 runs finished")
                losses[name] = last_losses(folder)
            print(f"{name}: {seconds[name][-1]:.1f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\n{os.cpu_count()} cores, {options.epochs} epochs a run, n={options.repeats}\n")
    print("| | seconds for 16 runs | packed / this |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {medians['packed'] / median:.2f}x |")
    difference = max(abs(a - b) for a, b in zip(losses["packed"], losses["one by one"], strict=True))
    print(f"\nlargest difference of a last training loss, packed against one by one: {difference:.1e}")
    if options.out:
        options.out.write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
