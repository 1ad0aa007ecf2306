"""The test split, read for the one run that its user names as the winner, once the sweep is over."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.core.files import cut_torn_line
from windtunnel.errors import UsageError
from windtunnel.registry import suggest
from windtunnel.sweeps.folder import TESTS_FILE, SweepFolder
from windtunnel.sweeps.lines import append_line, read_lines
from windtunnel.sweeps.results import read_results


@dataclass(frozen=True)
class Winner:
    """A run's result on the test split.

    Args:
        run: its id.
        weights: which of its weights were tested: the last, or with early stopping the best.
        metrics: ``test_accuracy``, ``test_loss`` and, where there is one, ``test_top5_accuracy``.
        tested_before: other runs of the sweep whose test result had been read; above none, choosing between them by it
            would make it too good.
    """

    run: str
    weights: str
    metrics: dict[str, float]
    tested_before: tuple[str, ...]


def measure_winner(folder: SweepFolder, run: str) -> Winner:
    """Read the test split for ``run`` and note in the sweep's folder that it was read.

    Args:
        folder: the sweep.
        run: id of the run, or the part of it that no other finished run begins with.

    Raises:
        UsageError: no finished run has this id, or several begin with it; or the data has no test part.
    """
    from windtunnel.training.inspect import evaluate

    id = _find_run(folder, run)
    path = folder.run(id)
    weights = "best" if _stops_early(path) and (path / "checkpoints" / "best.safetensors").exists() else "last"
    found = evaluate(path, split="test", weights="best" if weights == "best" else "last").metrics
    kept = {"accuracy": found.accuracy, "loss": found.loss, "top5_accuracy": found.top5_accuracy}
    metrics = {f"test_{name}": value for name, value in kept.items() if value is not None}
    before = tuple(dict.fromkeys(line["run"] for line in read_tests(folder) if line["run"] != id))
    cut_torn_line(folder.path / TESTS_FILE)
    append_line(folder.path / TESTS_FILE, {"run": id, "time": round(time.time()), "weights": weights, **metrics})
    return Winner(id, weights, metrics, before)


def read_tests(folder: SweepFolder) -> list[dict[str, Any]]:
    """Return every time the test split was read for a run of the sweep."""
    return read_lines(folder.path / TESTS_FILE)


def _find_run(folder: SweepFolder, run: str) -> str:
    runs = {row.id: row.status for row in read_results(folder).runs}
    matching = [id for id in runs if id == run] or [id for id in runs if id.startswith(run)]
    if len(matching) > 1:
        raise UsageError(f"{run!r} may be {', '.join(matching)}; give the whole id")
    if not matching:
        near = suggest(run, runs)
        hint = f"; did you mean {near!r}?" if near else f"; see `windtunnel sweep results {folder.path}`"
        raise UsageError(f"the sweep has no run {run!r}{hint}")
    if runs[matching[0]] != "finished":
        raise UsageError(f"run {matching[0]} has not finished: it is {runs[matching[0]]}; name one that has")
    return matching[0]


def _stops_early(path: Path) -> bool:
    from windtunnel.training.folder import RunFolder

    return RunFolder(path).read_experiment().train.early_stopping is not None
