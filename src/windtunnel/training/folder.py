"""A run's folder on disk: made once, never overwritten, held by one process at a time."""

import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml, read_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import find_remedy, write_json, write_text
from windtunnel.core.locks import is_locked, try_to_lock
from windtunnel.errors import CheckpointError, UsageError
from windtunnel.registry import suggest

FORMAT_VERSION = 1
_LOOK_EVERY_S = 0.2
_STAMP, _MOST_SET_BACK = "%Y%m%d-%H%M%S", timedelta(days=1)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of weights and training state."""
        return self.path / "checkpoints"

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a state to go on from."""
        return (self.checkpoints / "state.pt").exists()

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
            UsageError: another process trains this run, or the folder cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / ".lock").open("a")
        except OSError as error:
            raise UsageError(f"cannot write the run folder {self.path}: {error}; {_remedy(error)}") from error
        with file:
            if not try_to_lock(file):
                raise UsageError(f"another process is training {self.path}; wait for it or stop it")
            yield

    def wait_until_free(self, timeout_s: float) -> None:
        """Wait while another process holds the run, for ``timeout_s`` seconds at most."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until and is_locked(self.path / ".lock"):
            time.sleep(_LOOK_EVERY_S)


def new_run_path(experiment: Experiment, runs_dir: Path | None) -> Path:
    """Return where a new run goes: ``<runs_dir>/<project>/<time>-<name>-<id>``.

    The time is the clock's, or the second behind the newest run's where the clock has been set back since, as in the
    hour that each autumn has twice: so the order of names stays that of the runs.
    """
    parent = (runs_dir or default_runs_dir()) / experiment.project
    return parent / f"{_next_stamp(parent)}-{experiment.name}-{secrets.token_hex(2)}"


def create_run_folder(
    experiment: Experiment, path: Path, *, environment: dict[str, Any], overrides: Sequence[str]
) -> RunFolder:
    """Make the folder ``path`` with the run's config, overrides and environment; the config comes last.

    Whoever may not be alone there holds the folder first.

    Raises:
        UsageError: it cannot be written, e.g. because the place is read-only, or holds a run with other settings.
    """
    folder = RunFolder(path)
    if (path / "config.yaml").exists() and folder.read_experiment() != experiment:
        raise UsageError(f"{path} holds a run with other settings; give this one a folder of its own")
    try:
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        write_text(path / "overrides.txt", "".join(f"{override}\n" for override in overrides))
        write_json(path / "env.json", {"format_version": FORMAT_VERSION, **environment})
        write_text(path / "config.yaml", dump_yaml(experiment))
    except OSError as error:
        raise UsageError(f"cannot write the run folder {path}: {error}; {_remedy(error)}") from error
    return folder


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
    """Return ``$WINDTUNNEL_RUNS_DIR``, ``~`` being the home folder in it, or ``runs`` in the working directory."""
    return Path(os.environ.get("WINDTUNNEL_RUNS_DIR") or "runs").expanduser()


def _next_stamp(parent: Path) -> str:
    now = datetime.now()
    stamp, too_late = now.strftime(_STAMP), (now + _MOST_SET_BACK).strftime(_STAMP)
    names = (path.name[: len(stamp)] for path in parent.glob("????????-??????-*"))
    ahead = [name for name in names if stamp < name < too_late]
    with suppress(ValueError):  # a folder that somebody named so, of no time of day
        return (datetime.strptime(max(ahead, default=""), _STAMP) + timedelta(seconds=1)).strftime(_STAMP)
    return stamp


def _remedy(error: OSError) -> str:
    return f"{find_remedy(error) or 'mend that'}, or choose another place with --runs-dir"


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
