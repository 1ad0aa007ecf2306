"""Run every benchmark in this folder, one after the other, and keep what they print.

Usage: python benchmarks/run_all.py [NAME ...]     (names without .py; none runs all)
Writes build/benchmarks/<name>.txt. Fails when one of them fails.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(script, folder):
    """Run ``script``, show and keep its output, and return its exit code."""
    print(f"== {script.name}", flush=True)
    start = time.perf_counter()
    with (folder / f"{script.stem}.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in process.stdout:
            print(line, end="", flush=True)
            log.write(line)
    print(f"== {script.name}: exit {process.wait()} after {time.perf_counter() - start:.0f} s", flush=True)
    return process.returncode


def main():
    wanted = set(sys.argv[1:])
    scripts = sorted(path for path in HERE.glob("*.py") if path.name != "run_all.py" and not path.name.startswith("_"))
    unknown = wanted - {path.stem for path in scripts}
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(p.stem for p in scripts)}")
    folder = HERE.parent / "build" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    codes = {path.name: run(path, folder) for path in scripts if not wanted or path.stem in wanted}
    sys.exit(", ".join(f"{name} failed" for name, code in codes.items() if code) or 0)


if __name__ == "__main__":
    main()
