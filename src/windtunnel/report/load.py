"""A run folder read back as plain values; works on a run that is still going, or that crashed."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.core.locks import is_locked
from windtunnel.core.reports import EpochReport
from windtunnel.errors import CheckpointError


@dataclass(frozen=True)
class Run:
    """What a run folder holds.

    Args:
        folder: the folder.
        config_text: ``config.yaml`` as written.
        overrides: the user's settings on top of the recipe, one ``a.b=c`` each.
        environment: ``env.json``; empty when there is none.
        epochs: rows of ``metrics.csv``, one an epoch.
        summary: ``summary.json``; empty while the run has not ended.
    """

    folder: Path
    config_text: str
    overrides: tuple[str, ...]
    environment: Mapping[str, Any]
    epochs: tuple[EpochReport, ...]
    summary: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name

    @property
    def status(self) -> str:
        """How it ended; ``running`` while a process trains it, ``unfinished`` when none does and it never ended."""
        if "status" in self.summary:
            return str(self.summary["status"])
        return "running" if is_locked(self.folder / ".lock") else "unfinished"


def load_run(folder: Path) -> Run:
    """Read the run in ``folder``.

    Raises:
        CheckpointError: ``folder`` is no run folder, or one of its files is damaged.
    """
    config = folder / "config.yaml"
    if not config.is_file():
        raise CheckpointError(f"{folder} is not a run folder: it has no config.yaml")
    return Run(
        folder=folder.resolve(),
        config_text=config.read_text(encoding="utf-8"),
        overrides=tuple(_read_lines(folder / "overrides.txt")),
        environment=read_json(folder / "env.json"),
        epochs=load_epochs(folder / "metrics.csv"),
        summary=read_json(folder / "summary.json"),
    )


def load_epochs(path: Path) -> tuple[EpochReport, ...]:
    """Read ``metrics.csv``; a last line cut short by a crash is left out.

    Raises:
        CheckpointError: a line does not hold the figures of an epoch.
    """
    if not path.is_file():
        return ()
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return tuple(_parse_row(row, path, line) for line, row in enumerate(csv.DictReader(whole.splitlines()), 2))


def _parse_row(row: Mapping[str, str], path: Path, line: int) -> EpochReport:
    try:
        return EpochReport(
            epoch=int(row["epoch"]),
            step=int(row["step"]),
            train_loss=float(row["train_loss"]),
            train_accuracy=float(row["train_accuracy"]),
            val_loss=_optional(row["val_loss"]),
            val_accuracy=_optional(row["val_accuracy"]),
            val_loss_ema=_optional(row.get("val_loss_ema") or ""),
            val_accuracy_ema=_optional(row.get("val_accuracy_ema") or ""),
            lr=float(row["lr"]),
            seconds=float(row["seconds"]),
            images_per_second=float(row["images_per_second"]),
            memory_bytes=int(text) if (text := row.get("memory_bytes")) else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}, line {line}: not the figures of an epoch ({error!r})") from error


def _optional(text: str) -> float | None:
    return float(text) if text else None


def _read_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty when there is none.

    Raises:
        CheckpointError: it is no JSON object.
    """
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds a {type(value).__name__}, not an object")
    return value
