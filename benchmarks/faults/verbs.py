"""The commands that are killed and starved of disk: what each begins with, says, keeps and has to end with.

All are small: seconds on scikit-learn's digits, random pixels and a server on this machine.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from file_server import NAMES, SIZE, make_content

SHARES = {"train": 60, "sweep": 35, "compare": 25, "report": 25, "fetch": 30, "cache build": 25}
"""Kills of each command among 200."""

MEASURED = ("seconds", "images_per_second", "memory_bytes")

_EXPERIMENT = """
name: drilled
project: faults
data: {source: digits, split: {name: official, validation: 0.1}, batch_size: 32, train_limit: 512}
augment: []
model: {name: cnn, widths: [8, 8], hidden: 16}
optim: {name: sgd, lr: 0.05}
train: {epochs: 12, checkpoint_every: 0.5}
runtime: {device: cpu, threads: 1, tune_allocator: false, augment_backend: torch}
"""
_SWEEP = """
name: drilled
project: faults
base: {data: {source: digits, split: {name: official, validation: 0.1}, batch_size: 32, train_limit: 512}, augment: [],
  model: {name: cnn, widths: [8, 8], hidden: 16}, optim: {name: sgd, lr: 0.05}, train: {epochs: 6},
  runtime: {device: cpu, threads: 1, tune_allocator: false, augment_backend: torch}}
space: {optim.lr: [0.02, 0.05, 0.1]}
repeats: 2
"""


class Verb(Protocol):
    """A command and what has to come of it.

    Args:
        name: for the table.
        works_on: whether processes it started go on by design when it is killed, to be taken over by the next.
    """

    name: str
    works_on: bool

    def begin(self, life: Path) -> None:
        """Put into the folder what is there before the first command."""

    def words(self, life: Path) -> list[str]:
        """Return what is typed next, as the folder stands."""

    def environment(self, life: Path) -> dict[str, str]:
        """Return what the command has in its environment besides."""

    def before(self) -> None:
        """Be called in the new process first."""

    def measure(self, life: Path) -> float:
        """Return how much is safely done; a kill may never make it less."""

    def find_faults(self, life: Path, reference: Path, said: str) -> list[str]:
        """Return in words what of the end is not as in the undisturbed ``reference``; ``said`` is what was printed."""


def list_verbs(folder: Path, *, port: int, source: Path, run: Callable[[], Path]) -> list[Verb]:
    """Return the commands of a campaign.

    Args:
        folder: where they keep what all lives share.
        port: of the file server.
        source: the file of images that caches are built from, see :func:`write_pixels`.
        run: gives a finished run to report on.
    """
    cache = folder / "cache"
    return [_Train(cache), _Sweep(cache), _Compare(cache), _Report(run), _Fetch(port), _CacheBuild(source)]


def write_pixels(path: Path, count: int = 12_000) -> None:
    """Write the images that the cache is built from."""
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % 10
    held_out = count // 6
    np.savez(
        path,
        train_images=images[held_out:],
        train_labels=labels[held_out:],
        test_images=images[:held_out],
        test_labels=labels[:held_out],
    )


def compare_runs(run: Path, reference: Path) -> list[str]:
    """Return in words where a run ended otherwise than an undisturbed one: weights to the bit, figures but for time."""
    faults = []
    weights = [folder / "checkpoints" / "last.safetensors" for folder in (run, reference)]
    if not weights[0].exists() or weights[0].read_bytes() != weights[1].read_bytes():
        faults.append("other weights")
    if _read_metrics(run) != _read_metrics(reference):
        faults.append("other figures by epoch")
    mine, theirs = (_read_json(folder / "summary.json") for folder in (run, reference))
    if (mine.get("status"), mine.get("metrics")) != (theirs.get("status"), theirs.get("metrics")):
        faults.append(f"it ended {mine.get('status')} with {mine.get('metrics')}")
    return faults


@dataclass(frozen=True)
class _Train:
    """``windtunnel train``, and then ``windtunnel resume``."""

    name = "train"
    works_on = False
    cache: Path

    def begin(self, life: Path) -> None:
        (life / "run.yaml").write_text(_EXPERIMENT)

    def words(self, life: Path) -> list[str]:
        runs = _list_runs(life)
        if runs:
            return ["resume", str(runs[-1]), "--quiet"]
        return ["train", "run.yaml", "--runs-dir", "runs", "--quiet"]

    def environment(self, life: Path) -> dict[str, str]:
        return {"XDG_CACHE_HOME": str(self.cache)}

    def before(self) -> None:
        return

    def measure(self, life: Path) -> float:
        runs = _list_runs(life)
        return _read_step(runs[-1]) if runs else 0

    def find_faults(self, life: Path, reference: Path, said: str) -> list[str]:
        if len(runs := _list_runs(life)) != 1:
            return [f"there are {len(runs)} runs"]
        faults = compare_runs(runs[0], _list_runs(reference)[0])
        return faults + [f"no {name}" for name in ("curves.png", "report.html") if not (runs[0] / name).exists()]


@dataclass(frozen=True)
class _Sweep:
    """``windtunnel sweep run``, again and again the same."""

    name = "sweep"
    works_on = True
    cache: Path

    def begin(self, life: Path) -> None:
        (life / "sweep.yaml").write_text(_SWEEP)

    def words(self, life: Path) -> list[str]:
        machine = ["--device", "cpu", "--parallel", "2", "--memory", "3GB"]
        return ["sweep", "run", "sweep.yaml", "--runs-dir", "runs", *machine, "--quiet"]

    def environment(self, life: Path) -> dict[str, str]:
        return {"XDG_CACHE_HOME": str(self.cache)}

    def before(self) -> None:
        return

    def measure(self, life: Path) -> float:
        return len(self._ends(life))

    def find_faults(self, life: Path, reference: Path, said: str) -> list[str]:
        ends = self._ends(life)
        times = Counter(job for job, _ in ends)
        faults = [f"{job} ended {count} times" for job, count in times.items() if count != 1]
        faults += [f"{job} is {status}" for job, status in ends if status != "finished"]
        for job, _ in self._ends(reference):
            mine, theirs = (place / "runs" / "faults" / "drilled" / "runs" / job for place in (life, reference))
            faults += [f"{job}: {fault}" for fault in compare_runs(mine, theirs)] if job in times else [f"no {job}"]
        return faults

    def _ends(self, life: Path) -> list[tuple[str, str]]:
        journal = life / "runs" / "faults" / "drilled" / "dispatch" / "journal.jsonl"
        lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
        events = [json.loads(line) for line in lines]
        return [(event["job"], event["status"]) for event in events if event.get("event") == "ended"]


@dataclass(frozen=True)
class _Compare:
    """``windtunnel compare`` of two settings, two trials each."""

    name = "compare"
    works_on = False
    cache: Path

    def begin(self, life: Path) -> None:
        for name, rate in (("a.yaml", "0.05"), ("b.yaml", "0.1")):
            (life / name).write_text(_EXPERIMENT.replace("lr: 0.05", f"lr: {rate}"))

    def words(self, life: Path) -> list[str]:
        rules = ["--trials", "2", "--no-stop-early", "--no-warm-up", "--name", "drilled"]
        return ["compare", "a.yaml", "b.yaml", *rules, "--runs-dir", "runs", "--quiet"]

    def environment(self, life: Path) -> dict[str, str]:
        return {"XDG_CACHE_HOME": str(self.cache)}

    def before(self) -> None:
        return

    def measure(self, life: Path) -> float:
        return sum(1 for _ in life.rglob("trial.json"))

    def find_faults(self, life: Path, reference: Path, said: str) -> list[str]:
        mine, theirs = (self._read(place) for place in (life, reference))
        return [] if mine == theirs else [f"its trials are {mine}, not {theirs}"]

    def _read(self, life: Path) -> list[tuple[str, int, float]] | str:
        answers = list(life.glob("runs/comparisons/*/comparison.json"))
        if len(answers) != 1:
            return f"{len(answers)} answers"
        trials = json.loads(answers[0].read_text())["trials"]
        return [(trial["letter"], trial["seed"], trial["accuracy"]) for trial in trials]


@dataclass(frozen=True)
class _Report:
    """``windtunnel report`` of a finished run, over an older page.

    Args:
        run: gives the finished run.
    """

    name = "report"
    works_on = False
    run: Callable[[], Path]

    def begin(self, life: Path) -> None:
        shutil.copytree(self.run(), life / "run")
        (life / "page.html").write_text("<html>older</html>\n")

    def words(self, life: Path) -> list[str]:
        return ["report", "page", "run", "--out", "page.html", "--png", "--csv"]

    def environment(self, life: Path) -> dict[str, str]:
        return {}

    def before(self) -> None:
        return

    def measure(self, life: Path) -> float:
        return float((life / "page.html").exists())

    def find_faults(self, life: Path, reference: Path, said: str) -> list[str]:
        faults = ["the page is the older one"] if "older" in (life / "page.html").read_text()[:20] else []
        for path in sorted((reference / "page").iterdir()):
            mine = life / "page" / path.name
            if not mine.exists() or (path.suffix == ".csv" and mine.read_bytes() != path.read_bytes()):
                faults.append(f"{path.name} is missing or another")
        return faults


@dataclass(frozen=True)
class _Fetch:
    """``windtunnel data fetch`` of two files from a server on this machine.

    Args:
        port: the server's.
    """

    name = "fetch"
    works_on = False
    port: int

    def begin(self, life: Path) -> None:
        return

    def words(self, life: Path) -> list[str]:
        return ["data", "fetch", "drilled", "--into", str(life / "data"), "--json"]

    def environment(self, life: Path) -> dict[str, str]:
        return {"XDG_CACHE_HOME": str(life / "cache")}

    def before(self) -> None:
        """Let the command know one more set, the server's."""
        from windtunnel.data import mirrors

        files = tuple(
            mirrors.RemoteFile(
                name, hashlib.sha256(make_content(name)).hexdigest(), SIZE, (f"http://127.0.0.1:{self.port}/{name}",)
            )
            for name in NAMES
        )
        mirrors.MIRRORS = {**mirrors.MIRRORS, "drilled": (mirrors.Form(files),)}

    def measure(self, life: Path) -> float:
        return sum(path.stat().st_size for path in (life / "data").rglob("*.bin*"))

    def find_faults(self, life: Path, reference: Path, said: str) -> list[str]:
        folder = life / "data" / "drilled"
        there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if there != sorted(NAMES):
            return [f"there are {there}"]
        return [f"{name} is another" for name in NAMES if (folder / name).read_bytes() != make_content(name)]


@dataclass(frozen=True)
class _CacheBuild:
    """``windtunnel data check`` of a set that no cache holds yet.

    Args:
        source: its file.
    """

    name = "cache build"
    works_on = False
    source: Path

    def begin(self, life: Path) -> None:
        return

    def words(self, life: Path) -> list[str]:
        return ["data", "check", str(self.source), "--json"]

    def environment(self, life: Path) -> dict[str, str]:
        return {"XDG_CACHE_HOME": str(life / "cache")}

    def before(self) -> None:
        return

    def measure(self, life: Path) -> float:
        return sum(1 for path in life.rglob("meta.json") if not path.parent.name.endswith(".building"))

    def find_faults(self, life: Path, reference: Path, said: str) -> list[str]:
        expected = json.loads((reference.parent / f"{reference.name}.txt").read_text())
        try:
            return [] if json.loads(said) == expected else ["it found another set"]
        except ValueError:
            return [f"it said {said[:200]!r}"]


def _read_metrics(run: Path) -> list[dict[str, str]]:
    from windtunnel.track.files import read_rows

    rows = read_rows(run / "metrics.csv")
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in rows]


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _list_runs(life: Path) -> list[Path]:
    return sorted(config.parent for config in life.glob("runs/faults/*/config.yaml"))


def _read_step(run: Path) -> float:
    import torch

    path = run / "checkpoints" / "state.pt"
    return float(torch.load(path, weights_only=True)["state"]["step"]) if path.exists() else 0.0
