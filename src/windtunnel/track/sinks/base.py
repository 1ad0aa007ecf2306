"""The interface of an adapter to a tracker, and what it is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from windtunnel.config.files import read_yaml
from windtunnel.core.reports import RunInfo
from windtunnel.track.choice import read_record

Scalar = str | int | float | bool | None

# What an environment file says that is no property of the run: the command line may hold what is nobody's business.
_PRIVATE = ("argv",)
_SWEEP_FILE = "sweep.yaml"


@dataclass(frozen=True)
class RunStart:
    """A run as it starts or goes on.

    Args:
        name: the run folder's name.
        project: the experiment's project.
        group: name of the sweep it belongs to, or ``""``.
        folder: the run folder.
        record: file that holds what is kept about this run and this tracker, ``id`` first of all.
        config: the experiment, each field by its dotted path.
        environment: versions, device, data digests and commit, each by its dotted path; no environment variables.
        start_step: optimizer updates done before; above 0 for a run that goes on.
    """

    name: str
    project: str
    group: str
    folder: Path
    record: Path
    config: Mapping[str, Scalar]
    environment: Mapping[str, Scalar]
    start_step: int

    @property
    def id(self) -> str:
        """The id the run keeps however often it goes on."""
        return read_record(self.record)["id"]


class Sink(Protocol):
    """Hands one run to a tracker. Called in this order: start, (epoch | picture)*, finish.

    It may block and it may raise: the run does not notice. What it prints goes to a log file in the run folder.
    """

    def start(self, run: RunStart) -> str:
        """Begin, or go on with, the run there; return where it can be seen, in words."""

    def epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take an epoch's figures; ``step`` is the number of optimizer updates so far."""

    def picture(self, name: str, path: Path) -> None:
        """Take a PNG file."""

    def finish(self, status: str, metrics: Mapping[str, float], summary: Mapping[str, Scalar]) -> None:
        """End the run and return when all is stored.

        Args:
            status: ``finished``, ``diverged``, ``interrupted``, or ``crashed`` when the run's process is gone.
            metrics: the run's last figures and those of the test split.
            summary: everything else ``summary.json`` holds, by dotted path.
        """


def describe_run(info: RunInfo, record: Path) -> RunStart:
    """Return what trackers are told about the run of ``info``, read from its folder."""
    folder = Path(info.folder)
    config = flatten(read_yaml(folder / "config.yaml"))
    environment = json.loads((folder / "env.json").read_text(encoding="utf-8"))
    shared = {key: value for key, value in environment.items() if key not in _PRIVATE}
    sweep = folder.parent.parent
    return RunStart(
        name=folder.name,
        project=str(config["project"]),
        group=sweep.name if (sweep / _SWEEP_FILE).is_file() else "",
        folder=folder,
        record=record,
        config=config,
        environment=flatten(shared) | {"parameters": info.parameters, "precision": info.precision},
        start_step=info.start_step,
    )


def flatten(value: Any, path: str = "") -> dict[str, Scalar]:
    """Return the leaves of a tree by their dotted paths; items of a list by number, a list of plain values as text.

    >>> flatten({"optim": {"lr": 0.1}, "ops": [{"name": "flip"}], "size": [32, 32]})
    {'optim.lr': 0.1, 'ops.0.name': 'flip', 'size': '[32, 32]'}
    """
    if isinstance(value, Mapping) and value:
        parts = value.items()
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        parts = {str(index): item for index, item in enumerate(value)}.items()
    elif value is None or isinstance(value, str | int | float | bool):
        return {path: value}
    else:
        return {path: json.dumps(value)}
    leaves: dict[str, Scalar] = {}
    for key, item in parts:
        leaves |= flatten(item, f"{path}.{key}" if path else str(key))
    return leaves


def rename_metric(name: str) -> str:
    """Return a figure's name as trackers group them.

    >>> rename_metric("val_accuracy_ema"), rename_metric("test_loss"), rename_metric("lr")
    ('val/accuracy_ema', 'test/loss', 'lr')
    """
    split, _, rest = name.partition("_")
    return f"{split}/{rest}" if split in ("train", "val", "test") else name
