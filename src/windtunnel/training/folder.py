"""A run's folder on disk: made once, never overwritten, held by one process at a time."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml, read_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import write_json, write_text
from windtunnel.errors import CheckpointError, UsageError
from windtunnel.registry import suggest

FORMAT_VERSION = 1


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of weights and training state."""
        return self.path / "checkpoints"

    def read_experiment(self) -> Experiment:
        """Return the experiment the run was started with."""
        config = self.path / "config.yaml"
        return validate_tree(Experiment, read_yaml(config), str(config))

    def read_summary(self) -> dict[str, Any] | None:
        """Return how the run ended, or None while it trains or after it was killed."""
        try:
            summary: dict[str, Any] = json.loads((self.path / "summary.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return summary

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write how the run ended."""
        write_json(self.path / "summary.json", summary)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other processes from training this run; the kernel lets go when this process ends, however it ends.

        Raises:
            UsageError: another process trains this run.
        """
        with (self.path / ".lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another process is training {self.path}; wait for it or stop it") from None
            yield


def new_run_path(experiment: Experiment, runs_dir: Path | None) -> Path:
    """Return where a new run goes: ``<runs_dir>/<project>/<time>-<name>-<id>``."""
    parent = (runs_dir or default_runs_dir()) / experiment.project
    return parent / f"{time.strftime('%Y%m%d-%H%M%S')}-{experiment.name}-{secrets.token_hex(2)}"


def create_run_folder(
    experiment: Experiment, path: Path, *, environment: dict[str, Any], overrides: Sequence[str]
) -> RunFolder:
    """Make the folder ``path`` with the run's config, overrides and environment; the config comes last.

    Raises:
        UsageError: the folder cannot be made, e.g. because the place is read-only.
    """
    try:
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        write_text(path / "overrides.txt", "".join(f"{override}\n" for override in overrides))
        write_json(path / "env.json", {"format_version": FORMAT_VERSION, **environment})
        write_text(path / "config.yaml", dump_yaml(experiment))
    except OSError as error:
        raise UsageError(f"cannot write the run folder {path}: {error}; choose another with --runs-dir") from error
    return RunFolder(path)


def open_run(reference: Path | str, runs_dir: Path | None = None) -> RunFolder:
    """Return the run at a path, by its folder's name, or the newest for ``last``.

    Raises:
        UsageError: there is no such run.
        CheckpointError: it was written by a newer windtunnel.
    """
    path = Path(reference)
    if not (path / "config.yaml").is_file():
        path = _find_by_name(str(reference), runs_dir or default_runs_dir())
    _check_version(path)
    return RunFolder(path)


def list_runs(runs_dir: Path) -> list[Path]:
    """Return every run folder under ``runs_dir``, those of sweeps and comparisons included, oldest first."""
    found = [*runs_dir.glob("*/*/config.yaml"), *runs_dir.glob("*/*/runs/*/config.yaml")]
    return sorted((config.parent for config in found), key=lambda path: path.name)


def default_runs_dir() -> Path:
    """Return ``$WINDTUNNEL_RUNS_DIR``, or ``runs`` in the working directory."""
    return Path(os.environ.get("WINDTUNNEL_RUNS_DIR") or "runs")


def _find_by_name(reference: str, runs_dir: Path) -> Path:
    runs = {path.name: path for path in list_runs(runs_dir)}
    if reference == "last" and runs:
        return list(runs.values())[-1]
    if reference in runs:
        return runs[reference]
    near = suggest(reference, runs)
    hint = f"; did you mean {near!r}?" if near else f"; there are {len(runs)} runs under {runs_dir}"
    raise UsageError(f"no run {reference!r}: it is neither a run folder nor the name of one{hint}")


def _check_version(path: Path) -> None:
    try:
        version = json.loads((path / "env.json").read_text(encoding="utf-8"))["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is no readable run folder: env.json: {error!r}") from error
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} was written in format {version} by a newer windtunnel; this one reads up to {FORMAT_VERSION}; "
            "upgrade windtunnel"
        )
