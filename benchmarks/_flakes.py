"""The whole suite again and again: which tests fail now and then, and how long it takes.

Every time is `make test`'s command; a test that fails in some rounds and passes in others is a flake.

Usage: python benchmarks/_flakes.py [--rounds N] [--jobs N] [--out FILE.json] [PYTEST_WORD ...]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Round:
    """The suite once: how many tests ran, which failed, and what it took."""

    tests: int
    failed: tuple[str, ...]
    exit_code: int
    seconds: float
    processor_seconds: float


def run_suite(jobs: int, words: list[str], report: Path) -> Round:
    """Run the suite once."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(jobs), "--dist", "worksteal", f"--junitxml={report}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    before, begun = _spent(), time.monotonic()
    done = subprocess.run([*command, *words], cwd=ROOT, env=environment, check=False)
    tests, failed = read_report(report)
    return Round(tests, tuple(failed), done.returncode, time.monotonic() - begun, _spent() - before)


def read_report(report: Path) -> tuple[int, list[str]]:
    """Return how many tests a JUnit report has, and the names of those that failed."""
    if not report.exists():
        return 0, []
    cases = list(ElementTree.parse(report).iter("testcase"))
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return len(cases), sorted({f"{case.get('classname')}::{case.get('name')}" for case in bad})


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_summary(rounds: list[Round]) -> None:
    failures = Counter(name for each in rounds for name in each.failed)
    seconds = [each.seconds for each in rounds]
    processor = statistics.median(each.processor_seconds for each in rounds)
    print(f"{len(rounds)} rounds of {rounds[0].tests:,} tests: {min(seconds):.0f} to {max(seconds):.0f} s, median "
          f"{statistics.median(seconds):.0f} s by the clock and {processor:.0f} s of processors")  # fmt: skip
    for name, count in failures.most_common():
        print(f"  failed {count} of {len(rounds)} times: {name}")
    bad = sum(each.exit_code != 0 for each in rounds)
    print(f"{bad} rounds with a failure, {sum(0 < count < len(rounds) for count in failures.values())} flakes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes that run tests")
    parser.add_argument("--out", type=Path, help="write every round as JSON")
    parser.add_argument("words", nargs="*", help="further words for pytest")
    options = parser.parse_args()
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            rounds.append(run_suite(options.jobs, options.words, Path(folder) / f"{number}.xml"))
            print(f"== round {number + 1}: {rounds[-1].seconds:.0f} s, {len(rounds[-1].failed)} failed", flush=True)
            if options.out:
                options.out.write_text(json.dumps([asdict(each) for each in rounds], indent=1) + "\n")
    print_summary(rounds)
    sys.exit(any(each.exit_code for each in rounds))


if __name__ == "__main__":
    main()
