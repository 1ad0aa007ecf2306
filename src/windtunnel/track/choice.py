"""Which trackers listen to a run besides its own files and the terminal.

This is no part of an experiment: it never changes a run's figures, so it comes from the command line or the
environment, and a run that goes on keeps the trackers it began with.
"""

import importlib.util
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.core.files import write_json
from windtunnel.errors import UsageError
from windtunnel.registry import import_object, suggest

VARIABLE = "WINDTUNNEL_TRACK"
WAIT_VARIABLE = "WINDTUNNEL_TRACK_WAIT_S"
_DEFAULT_WAIT_S = 30.0


@dataclass(frozen=True)
class Choice:
    """A tracker that can be asked for.

    Args:
        name: its name, or the import path of one's own.
        target: import path of its sink.
        packages: modules it needs; those of a tracker of windtunnel come with the extra of its name.
        environment: variables its process gets where they are not set already; they turn off what the package
            would tell its makers.
    """

    name: str
    target: str
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """The name as part of a file's name."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.name)


TRACKERS = {
    choice.name: choice
    for choice in (
        Choice("tensorboard", "windtunnel.track.sinks.tensorboard:TensorBoardSink", ("tensorboard",)),
        Choice(
            "wandb",
            "windtunnel.track.sinks.wandb:WandbSink",
            ("wandb",),
            {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true", "DO_NOT_TRACK": "true"},
        ),
        Choice(
            "mlflow",
            "windtunnel.track.sinks.mlflow:MlflowSink",
            ("mlflow", "sqlalchemy", "alembic"),
            {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        ),
        Choice(
            "trackio",
            "windtunnel.track.sinks.trackio:TrackioSink",
            ("trackio",),
            {"HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_ANALYTICS_ENABLED": "False", "DO_NOT_TRACK": "1"},
        ),
    )
}


@dataclass(frozen=True)
class Tracking:
    """The trackers of a run.

    Args:
        choices: which.
        wait_s: how long to wait for them when the run has ended, seconds.
    """

    choices: tuple[Choice, ...] = ()
    wait_s: float = _DEFAULT_WAIT_S


def choose_trackers(asked: Sequence[str] | None = None, folder: Path | None = None) -> Tracking:
    """Return the trackers asked for; without any, those of ``$WINDTUNNEL_TRACK``; else those ``folder``'s run has had.

    Args:
        asked: names or import paths (``my_pkg.mod:MySink``), each possibly several with commas between; ``none`` is no
            tracker at all, and so is an empty sequence.
        folder: run folder of a run that goes on.

    Raises:
        UsageError: a name is not known, its package is not installed, or ``$WINDTUNNEL_TRACK_WAIT_S`` holds no seconds.
    """
    if asked is None and (text := os.environ.get(VARIABLE)):
        asked = [text]
    if asked is None:
        asked = read_recorded(folder) if folder is not None else ()
    names = [name.strip() for text in asked for name in text.split(",")]
    choices = tuple(_find(name) for name in dict.fromkeys(names) if name and name != "none")
    return Tracking(choices, _read_wait_s())


def record_choice(choice: Choice, folder: Path) -> Path:
    """Write down, once, that the run in ``folder`` has this tracker, and under which id; return the file's path."""
    path = folder / "trackers" / f"{choice.file_name}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_json(path, {"name": choice.name, "id": secrets.token_hex(4)})
    return path


def read_recorded(folder: Path) -> list[str]:
    """Return the names of the trackers the run in ``folder`` has had."""
    return [str(read_record(path)["name"]) for path in sorted((folder / "trackers").glob("*.json"))]


def read_record(path: Path) -> dict[str, str]:
    """Return what is written down about a run's tracker: ``name``, ``id``, and what its sink has added.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {"name": str(record["name"]), "id": str(record["id"])} | record
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read ({error!r}); remove it to begin anew with that tracker") from error


def _find(name: str) -> Choice:
    if ":" in name:
        import_object(name)
        return Choice(name, name)
    if name not in TRACKERS:
        near = suggest(name, TRACKERS)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"no tracker {name!r}: choose from {', '.join(TRACKERS)} or none{hint}")
    choice = TRACKERS[name]
    missing = [package for package in choice.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UsageError(f"tracker {name} needs {', '.join(missing)}: pip install 'windtunnel[{name}]'")
    return choice


def _read_wait_s() -> float:
    text = os.environ.get(WAIT_VARIABLE) or str(_DEFAULT_WAIT_S)
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s < float("inf"):
        raise UsageError(f"{WAIT_VARIABLE}: {text!r} is not a number of seconds; give one from 0, e.g. 30")
    return wait_s
