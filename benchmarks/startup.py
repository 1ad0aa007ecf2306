"""How long a person waits before something happens: help, show, check of a plan, first step of a run on digits.

Each row is the wall clock of a fresh process; the first step is timed up to its first event in the run folder.
Usage: python benchmarks/startup.py [--repeats N]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "windtunnel.cli.main"]
ROWS = {
    "windtunnel --help": ["--help"],
    "windtunnel show quickstart": ["show", "quickstart"],
    "windtunnel train quickstart --dry-run": ["train", "quickstart", "--dry-run"],
    "python -c 'import torch'": None,
}
ONE_STEP = ["train", "quickstart", "train.epochs=0.04", "train.validate_every=0", "evaluate.test=false", "--quiet"]


def time_process(words):
    """Return the seconds a fresh process takes; None imports torch alone, the floor of anything that trains."""
    command = [sys.executable, "-c", "import torch"] if words is None else [*COMMAND, *words]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def time_first_step():
    """Return the seconds from the command to the end of the first epoch's only step."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        subprocess.run([*COMMAND, *ONE_STEP, "--runs-dir", folder], check=True, capture_output=True)
        (log,) = Path(folder).rglob("events.jsonl")
        events = map(json.loads, log.read_text().splitlines())
        return next(event["time"] for event in events if event["event"] == "epoch") - start


def measure(repeats):
    """Return every row's times, the rows taken in turn so that a busy moment hits all alike."""
    times = {name: [] for name in [*ROWS, "first step after windtunnel train quickstart"]}
    for _ in range(repeats):
        for name, words in ROWS.items():
            times[name].append(time_process(words))
        times["first step after windtunnel train quickstart"].append(time_first_step())
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="processes a row")
    times = measure(parser.parse_args().repeats)
    rows = [
        {"command": name, "median_s": round(statistics.median(row), 3), "min_s": round(min(row), 3), "n": len(row)}
        for name, row in times.items()
    ]
    for row in rows:
        print(f"{row['command']:<46} {row['median_s']:7.3f} s  (min {row['min_s']:.3f}, n={row['n']})")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
