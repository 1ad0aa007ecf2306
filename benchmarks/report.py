"""Time and size of static reports: a sweep of 32 runs, a run, and a comparison.

The folders are those of made-up runs (``_made_runs.py``): 16 points of two settings with 2 seeds each and 20 epochs a
run; a run of 200 epochs; 20 trials each of 2 designs. Two clocks, each the median over repeats in turn:

``command``  ``windtunnel report FOLDER`` from the start of the process to its end, imports and all
``write``    reading, drawing and writing in a process that has drawn before

    python benchmarks/report.py [--repeats 5] [--out report.json]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _made_runs import make_comparison, make_run, make_sweep
from windtunnel.publish.find import find_subject
from windtunnel.publish.write import build_document, write_document
from windtunnel.recipes import load_experiment

RATES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3)
WINDTUNNEL = (sys.executable, "-m", "windtunnel.cli.main")


def make_folders(place):
    run = place / "made" / "20261122-120000-long-0000"
    make_run(run, load_experiment("quickstart", ["train.epochs=200"]))
    return {
        "sweep of 32 runs": make_sweep(place, rates=RATES, decays=(0.0, 0.0005), seeds=(0, 1)),
        "run of 200 epochs": run,
        "comparison of 2 x 20 trials": make_comparison(place, trials=20),
    }


def time_command(folder):
    start = time.perf_counter()
    subprocess.run([*WINDTUNNEL, "report", str(folder)], check=True, capture_output=True)
    return time.perf_counter() - start


def time_write(folder):
    start = time.perf_counter()
    write_document(build_document(find_subject(str(folder))), folder / "report.html")
    return time.perf_counter() - start


def measure(folders, repeats):
    for folder in folders.values():
        time_write(folder)  # the first one pays for imports
    seconds = {name: {"command": [], "write": []} for name in folders}
    for _ in range(repeats):
        for name, folder in folders.items():
            seconds[name]["command"].append(time_command(folder))
            seconds[name]["write"].append(time_write(folder))
    return {
        name: {
            "command_s": round(statistics.median(seconds[name]["command"]), 3),
            "write_s": round(statistics.median(seconds[name]["write"]), 3),
            "bytes": (folder / "report.html").stat().st_size,
        }
        for name, folder in folders.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = measure(make_folders(Path(place)), options.repeats)
    print(f"{'report of':<30}{'command (s)':>12}{'write (s)':>11}{'size (KiB)':>12}")
    for name, row in found.items():
        print(f"{name:<30}{row['command_s']:>12.2f}{row['write_s']:>11.2f}{row['bytes'] / 1024:>12.0f}")
    if options.out:
        options.out.write_text(json.dumps({"repeats": options.repeats, "reports": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
