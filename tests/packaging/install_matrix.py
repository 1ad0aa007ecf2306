"""Installs the wheel outside the checkout, with core dependencies alone and with each extra alone, and uses each once.

Usage: python tests/packaging/install_matrix.py [--wheel FILE] [--constraints FILE] [--keep FOLDER] [CASE ...]

Cases are `core` and the extras in pyproject.toml; none given means all. Without `--wheel` one is built first. Every
extra gets an environment of its own that sees core's packages and no other extra's. Prints a table, what core weighs
and how long it takes to start; exit code 1 when a case fails. Needs the package index; a few minutes and about 3 GB.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["train.epochs=1", "runtime.threads=1"]
TRAIN = ["train", "quickstart", *SHORT, "-q"]
SWEEP = ["sweep", "quickstart_sweep", "fixed.train.epochs=1", "repeats=1", "space.optim.lr=[0.1]", "-q"]
TREE_OF_TORCH = ("torch", "torch.libs", "torchgen", "functorch", "triton", "nvidia", "sympy", "mpmath", "networkx")

# What each extra is for, as one command; `ui`, `ray` and `docs` have functions of their own below.
USES = {
    "core": [["--version"], TRAIN, ["eval", "last"], ["show", "cifar10/airbench94"], ["doctor"]],
    "numba": [[*TRAIN, "runtime.augment_backend=numba"]],
    "timm": [["summary", "timm/resnet18", "--size", "32", "--depth", "1"]],
    "schedulefree": [[*TRAIN, "optim=schedule_free_adamw", "schedule=constant"]],
    "optuna": [[*SWEEP, "strategy=tpe", "strategy.runs=2", "pruning=median"]],
    "onnx": [TRAIN, ["export", "last", "--format", "onnx", "--out", "exported"]],
    "tensorboard": [[*TRAIN, "--track", "tensorboard"]],
    "wandb": [[*TRAIN, "--track", "wandb"]],
    "mlflow": [[*TRAIN, "--track", "mlflow"]],
    "trackio": [[*TRAIN, "--track", "trackio"]],
}
THERE_FROM_THE_START = ("pip", "setuptools", "pkg_resources", "_distutils", "distutils-precedence", "core.pth")
NOT_ALONE = ("dev",)  # the tests are its use


@dataclass(frozen=True)
class Outcome:
    """One case: what it added and whether its use worked."""

    case: str
    packages: int
    mebibytes: float
    seconds: float
    fault: str = ""


class Environment:
    """A virtual environment, over another one's packages or alone."""

    def __init__(self, folder, over=None):
        self.folder = folder
        self.python = folder / "bin" / "python"
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        self.packages = next((folder / "lib").glob("python*")) / "site-packages"
        if over is not None:
            (self.packages / "core.pth").write_text(f"{over.packages}\n")

    def install(self, requirement, constraints):
        """Install with pip; raises when that fails."""
        limits = ["-c", str(constraints)] if constraints else []
        self._check([self.python, "-m", "pip", "install", "--quiet", *limits, requirement], self.folder, 1800)

    def use(self, words, place):
        """Call windtunnel with ``words`` in ``place``; raises with what it said when that fails."""
        said = self._check([self.python, "-m", "windtunnel.cli.main", *words], place, 600)
        if "tracker" in said.lower() and ("cannot" in said or "failed" in said):
            raise RuntimeError(said)

    def run(self, program, place):
        """Run Python source in ``place``."""
        self._check([self.python, "-c", program], place, 600)

    def added(self):
        """Return how many packages were installed and how much they weigh, compiled files left out."""
        new = [path for path in self.packages.iterdir() if not path.name.startswith(THERE_FROM_THE_START)]
        return sum(path.suffix == ".dist-info" for path in new), sum(map(weigh, new)) / 2**20

    def _check(self, command, place, seconds):
        done = subprocess.run(
            command, cwd=place, env=surroundings(place), capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(map(str, command[1:6]))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout + done.stderr


def surroundings(place):
    """Return the variables of a command: nothing of the checkout or its environment, nothing sent anywhere."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "WINDTUNNEL"))
    }
    private = {"HOME": str(place), "XDG_CACHE_HOME": str(Path(place) / "cache"), "OMP_NUM_THREADS": "1"}
    return {**kept, **private, "WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1"}


def weigh(path):
    """Return the bytes of a file or folder, compiled Python left out."""
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file() and each.suffix != ".pyc")
    return path.stat().st_size


def read_extras():
    """Return the extras of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [name for name in project["optional-dependencies"] if name not in NOT_ALONE]


def try_case(case, core, wheel, constraints, work):
    """Install ``case`` over core, use it, and return the outcome."""
    place = work / f"use-{case}"
    place.mkdir(exist_ok=True)
    start = time.perf_counter()
    environment = core if case == "core" else Environment(work / case, over=core)
    fault = ""
    try:
        environment.install(str(wheel) if case == "core" else f"windtunnel[{case}] @ {wheel.as_uri()}", constraints)
        use(case, environment, place)
    except (RuntimeError, subprocess.TimeoutExpired, OSError) as error:
        fault = str(error)
    return Outcome(case, *environment.added(), time.perf_counter() - start, fault)


def use(case, environment, place):
    """Do with an extra what it is for."""
    if case == "ui":
        open_page(environment, place)
    elif case == "ray":
        environment.run(_ASK_RAY, place)  # the engine itself: tests/dispatch/test_ray_engine.py
    elif case == "docs":
        shutil.copytree(ROOT / "docs", place / "docs", dirs_exist_ok=True)
        environment.run(_BUILD_DOCS, place)
    elif case not in USES:
        raise RuntimeError(f"no use of the extra {case} is known here; add one to USES")
    for words in USES.get(case, ()):
        environment.use(words, place)


_ASK_RAY = """
import ray
ray.init(num_cpus=1, include_dashboard=False)
def name():
    from windtunnel.dispatch.ray_engine import Agent
    return Agent.__name__
assert ray.get(ray.remote(name).remote()) == "Agent"
"""
_BUILD_DOCS = """
import sys
from sphinx.cmd.build import main
sys.exit(main(["-q", "-W", "-b", "html", "docs", "site"]))
"""


def open_page(environment, place):
    """Start the live page and fetch it."""
    (place / "runs").mkdir(exist_ok=True)
    command = [environment.python, "-m", "windtunnel.cli.main", "ui", "--no-open"]
    with subprocess.Popen(command, cwd=place, env=surroundings(place), stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[-1]
            with urllib.request.urlopen(address, timeout=30) as answer:
                if b"windtunnel" not in answer.read():
                    raise RuntimeError(f"{address} is not the live page")
        finally:
            server.terminate()


def time_start(python, words, place):
    """Return the median seconds of seven starts."""
    took = []
    for _ in range(8):
        start = time.perf_counter()
        subprocess.run([python, *words], cwd=place, env=surroundings(place), check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    return statistics.median(took[1:])  # the first one compiles


def describe_core(core, work):
    """Print what core weighs and how long it takes to start."""
    torch = sum(weigh(core.packages / name) for name in TREE_OF_TORCH if (core.packages / name).exists()) / 2**20
    own = weigh(core.packages / "windtunnel") / 2**20
    print(f"\ncore: {core.added()[1]:.0f} MiB, of that torch and what only it needs {torch:.0f}, windtunnel {own:.1f}")
    starts = {"python -c pass": ["-c", "pass"], "import windtunnel": ["-c", "import windtunnel"]}
    starts["windtunnel --help"] = ["-m", "windtunnel.cli.main", "--help"]
    for what, words in starts.items():
        print(f"{what}: {time_start(core.python, words, work) * 1000:.0f} ms (median of 7)")


def build_wheel(folder):
    """Build the wheel of this checkout into ``folder``."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT)], check=True)
    return next(folder.glob("windtunnel-*.whl"))


def parse():
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    parser.add_argument("--keep", type=Path, help="folder for the environments, used again and left there")
    arguments = parser.parse_args()
    known = ["core", *read_extras()]
    unknown = set(arguments.cases) - set(known)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return arguments, [case for case in known if case in arguments.cases or not arguments.cases]


def main():
    """Try every case and say how it went."""
    arguments, cases = parse()
    work = arguments.keep or Path(tempfile.mkdtemp(prefix="windtunnel-matrix-"))
    work.mkdir(exist_ok=True)
    try:
        wheel = (arguments.wheel or build_wheel(work)).resolve()
        core = Environment(work / "core")
        core_outcome = try_case("core", core, wheel, arguments.constraints, work)
        outcomes = [core_outcome]
        show(core_outcome)
        for case in cases:
            if case != "core" and not core_outcome.fault:
                outcomes.append(try_case(case, core, wheel, arguments.constraints, work))
                show(outcomes[-1])
        if not core_outcome.fault:
            describe_core(core, work)
    finally:
        if arguments.keep is None:
            shutil.rmtree(work)
    return int(any(outcome.fault for outcome in outcomes))


def show(outcome):
    """Print one line, and the fault below it."""
    ended = "FAILED" if outcome.fault else "works"
    print(
        f"{outcome.case:<13}{ended:<8}{outcome.packages:>4} packages {outcome.mebibytes:>8.1f} MiB "
        f"{outcome.seconds:>6.0f} s",
        flush=True,
    )
    if outcome.fault:
        print("    " + "\n    ".join(outcome.fault.splitlines()[-12:]), flush=True)


if __name__ == "__main__":
    sys.exit(main())
