"""One run in full: its files, evaluations, pictures and the end of its log."""

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.catalog.reading import Meter, parse_object

_MOST_PICTURES = 200
_NOT_PICTURED = {"checkpoints"}


@dataclass(frozen=True)
class Evaluation:
    """What ``windtunnel eval --out`` left in a folder of the run's.

    Args:
        name: the folder's name.
        metrics: its figures, without the tables.
        classes: names of the classes.
        confusion: images of class ``row`` taken for class ``column``.
        per_class: a row a class.
        bins: predictions of like confidence, for a reliability diagram.
        pictures: names of its pictures, with the folder's.
    """

    name: str
    metrics: Mapping[str, Any]
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[Mapping[str, Any], ...]
    bins: tuple[Mapping[str, Any], ...]
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class RunDetails:
    """A run in full.

    Args:
        config: ``config.yaml`` as written.
        overrides: the user's settings on top of the recipe.
        environment: ``env.json``.
        summary: ``summary.json``; empty while it has not ended.
        evaluations: what was measured afterwards.
        pictures: names of the pictures directly in its folder.
    """

    config: str
    overrides: tuple[str, ...]
    environment: Mapping[str, Any]
    summary: Mapping[str, Any]
    evaluations: tuple[Evaluation, ...]
    pictures: tuple[str, ...]


def read_details(folder: Path, meter: Meter) -> RunDetails:
    """Return what the run in ``folder`` holds now."""
    pictures = list_pictures(folder)
    own = tuple(name for name in pictures if "/" not in name)
    folders = sorted({name.partition("/")[0] for name in pictures if "/" in name} | set(_evaluated(folder)))
    return RunDetails(
        config=meter.read_text(folder / "config.yaml") or "",
        overrides=tuple((meter.read_text(folder / "overrides.txt") or "").splitlines()),
        environment=meter.read_json(folder / "env.json") or {},
        summary=meter.read_json(folder / "summary.json") or {},
        evaluations=tuple(_read_evaluation(folder, name, pictures, meter) for name in folders),
        pictures=own,
    )


def list_pictures(folder: Path) -> tuple[str, ...]:
    """Return the PNG files of a run and of the folders in it, but no links and none in ``checkpoints``."""
    found = [*_list_png(folder, "")]
    for name in _list_folders(folder):
        found += _list_png(folder / name, f"{name}/")
    return tuple(found[:_MOST_PICTURES])


def read_log(folder: Path, meter: Meter, *, most: int, job_log: Path | None = None) -> str:
    """Return the last ``most`` bytes of what a run said: its worker's log, else the messages in its events."""
    if job_log is not None and (found := meter.read(job_log, offset=-most)) is not None:
        return found[0].decode("utf-8", "replace")
    found = meter.read(folder / "events.jsonl", offset=-max(most, 1) * 4)
    lines = [] if found is None else found[0][: found[0].rfind(b"\n") + 1].splitlines()
    texts = [text for event in map(parse_object, lines) if event is not None and (text := _describe(event))]
    return "\n".join(texts)[-most:]


def _describe(event: Mapping[str, Any]) -> str:
    match event.get("event"):
        case "message":
            return str(event.get("text", ""))
        case "start" | "resumed" as kind:
            said = "started" if kind == "start" else f"went on from step {event.get('start_step')}"
            return f"{said} on {event.get('device')}, {event.get('precision')}; {event.get('placement', '')}"
        case "epoch":
            figures = [f"{name.replace('_', ' ')} {event[name]:.4f}" for name in _TOLD if _is_number(event.get(name))]
            return f"epoch {event.get('epoch')}: {', '.join(figures)}"
        case "finish":
            return f"{event.get('status')}: {event.get('reason')}"
    return ""


_TOLD = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _list_folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(name for name in found if not name.startswith(".") and name not in _NOT_PICTURED)


def _list_png(folder: Path, prefix: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []
    return [prefix + name for name in sorted(names) if name.endswith(".png") and not name.startswith(".")]


def _evaluated(folder: Path) -> list[str]:
    return [name for name in _list_folders(folder) if (folder / name / "metrics.json").is_file()]


def _read_evaluation(folder: Path, name: str, pictures: tuple[str, ...], meter: Meter) -> Evaluation:
    told = meter.read_json(folder / name / "metrics.json") or {}
    metrics = told.get("metrics") if isinstance(told.get("metrics"), dict) else {}
    rows = tuple(metrics.get("per_class", ())) if metrics else ()
    known = ("split", "tta", "weights", "tta_effect", "calibration")
    return Evaluation(
        name=name,
        metrics={
            **{key: value for key, value in (metrics or {}).items() if key != "per_class"},
            **{key: told[key] for key in known if key in told},
        },
        classes=tuple(str(row.get("name", "")) for row in rows),
        confusion=_read_confusion(folder / name, told, meter),
        per_class=rows,
        bins=tuple(told.get("bins") or ()),
        pictures=tuple(picture for picture in pictures if picture.startswith(f"{name}/")),
    )


def _read_confusion(folder: Path, told: Mapping[str, Any], meter: Meter) -> tuple[tuple[int, ...], ...]:
    """Return the matrix in ``metrics.json``, or else that in ``confusion.csv``; empty when there is none."""
    if isinstance(told.get("confusion"), list):
        return tuple(tuple(int(cell) for cell in row) for row in told["confusion"])
    rows = list(csv.reader(io.StringIO(meter.read_text(folder / "confusion.csv") or "")))[1:]
    try:
        return tuple(tuple(int(cell) for cell in row[1:]) for row in rows)
    except ValueError:
        return ()
