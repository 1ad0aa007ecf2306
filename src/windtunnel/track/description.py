"""What trackers of other packages are told of a run, in flat names and plain values."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windtunnel.config.files import read_yaml
from windtunnel.core.reports import EpochReport, RunInfo
from windtunnel.track.sinks.base import RunStart, Scalar

# The command line a run was started with may hold what is nobody's business.
_PRIVATE = ("argv",)
_SWEEP_FILE = "sweep.yaml"


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


def describe_epoch(report: EpochReport) -> dict[str, Any]:
    """Return an epoch's step and the figures that were measured."""
    figures = {key: value for key, value in vars(report).items() if key != "step"}
    return {"step": report.step, "metrics": rename_metrics(figures)}


def describe_end(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a run ended: its status, its figures on the test split, and the rest of its summary, flat."""
    rest = {key: value for key, value in summary.items() if key not in ("metrics", "status")}
    tested = {name: value for name, value in summary.get("metrics", {}).items() if name.startswith("test_")}
    return {"status": summary["status"], "metrics": rename_metrics(tested), "summary": flatten(rest)}


def flatten(value: Any, path: str = "") -> dict[str, Scalar]:
    """Return the leaves of a tree by their dotted paths; items of a list by number, a list of plain values as text.

    >>> flatten({"optim": {"lr": 0.1}, "ops": [{"name": "flip"}], "size": [32, 32]})
    {'optim.lr': 0.1, 'ops.0.name': 'flip', 'size': '[32, 32]'}
    """
    if isinstance(value, Mapping) and (value or not path):
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


def rename_metrics(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Return the figures that were measured, by the names trackers know them under."""
    return {rename_metric(name): value for name, value in figures.items() if value is not None}


def rename_metric(name: str) -> str:
    """Return a figure's name as trackers group them.

    >>> rename_metric("val_accuracy_ema"), rename_metric("test_loss"), rename_metric("lr")
    ('val/accuracy_ema', 'test/loss', 'lr')
    """
    split, _, rest = name.partition("_")
    return f"{split}/{rest}" if split in ("train", "val", "test") else name
