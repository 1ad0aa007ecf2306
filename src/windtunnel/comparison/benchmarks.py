"""Running the benchmarks that lie in the project's source."""

import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from windtunnel.core.device import describe_device, resolve_device
from windtunnel.core.files import write_json
from windtunnel.errors import UsageError
from windtunnel.registry import suggest


@dataclass(frozen=True)
class Outcome:
    """One benchmark that ran.

    Args:
        name: its script without ``.py``.
        exit_code: 0 for success.
        seconds: it took.
        output: the lines it printed: its tables, peers beside ours.
    """

    name: str
    exit_code: int
    seconds: float
    output: tuple[str, ...]


def find_benchmarks(near: Sequence[Path]) -> Path:
    """Return the first folder ``benchmarks`` with windtunnel's benchmarks beside or above one of ``near``.

    Raises:
        UsageError: there is none, as in an installed package.
    """
    for start in near:
        for folder in (start, *start.parents):
            if (folder / "benchmarks" / "run_all.py").is_file() and (folder / "src" / "windtunnel").is_dir():
                return folder / "benchmarks"
    raise UsageError(
        "the benchmarks lie in windtunnel's source, not in the installed package: clone its repository and give the "
        "command in there; `windtunnel bench time-to` works everywhere"
    )


def list_benchmarks(folder: Path) -> list[str]:
    """Return the names of the benchmarks in ``folder``."""
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "run_all" and path.stem[0] != "_")


def run_benchmarks(folder: Path, names: Sequence[str], output: Path, tell: Callable[[str], None]) -> list[Outcome]:
    """Run benchmarks one after the other and write what they printed to ``output``, anew after each.

    Args:
        folder: where they lie.
        names: which; none runs all.
        output: JSON file.
        tell: called with each line as it is printed.

    Raises:
        UsageError: a name is unknown.
    """
    known = list_benchmarks(folder)
    for name in names:
        if name not in known:
            near = suggest(name, known)
            hint = f"; did you mean {near!r}?" if near else ";"
            raise UsageError(f"there is no benchmark {name!r}{hint} known: {', '.join(known)}")
    device = resolve_device("auto")
    machine = {"host": platform.node(), "device": describe_device(device), "torch": torch.__version__}
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    outcomes: list[Outcome] = []
    for name in names or known:
        outcomes.append(_run(folder / f"{name}.py", tell))
        write_json(output, {"started": started, **machine, "benchmarks": [asdict(one) for one in outcomes]})
    return outcomes


def _run(script: Path, tell: Callable[[str], None]) -> Outcome:
    tell(f"== {script.stem}")
    start = time.perf_counter()
    lines = []
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            tell(lines[-1])
    seconds = time.perf_counter() - start
    tell(f"== {script.stem}: exit {process.returncode} after {seconds:.0f} s")
    return Outcome(script.stem, process.returncode, round(seconds, 1), tuple(lines))
