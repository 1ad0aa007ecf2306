"""A run as a document; works on one that is still going, was killed, diverged, or was never validated."""

import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from windtunnel.core.reports import EpochReport
from windtunnel.core.units import format_seconds
from windtunnel.errors import CheckpointError
from windtunnel.report.curves import plot_panel
from windtunnel.report.document import Block, Column, Document, Fact, Listing, Paragraph, Picture, Row, Section, Table
from windtunnel.report.evaluation import list_evaluations, load_evaluation
from windtunnel.report.evaluation_blocks import describe_evaluation, describe_shift, interval_of
from windtunnel.report.load import Run
from windtunnel.report.numbers import (
    format_count,
    format_loss,
    format_percent,
    format_percent_interval,
    format_rate,
    format_two_places,
)

_PARTS = {"test": "test", "val": "validation", "train": "training"}
_MEASURES = (
    ("accuracy", "accuracy", format_percent),
    ("accuracy_plain", "accuracy, one view", format_percent),
    ("accuracy_ema", "accuracy, averaged weights", format_percent),
    ("top5_accuracy", "top-5 accuracy", format_percent),
    ("loss", "loss", format_loss),
    ("calibration_error", "calibration error", format_percent),
)
_EPOCH_COLUMNS = (
    Column("epoch"),
    Column("step", format_count),
    Column("training loss", format_loss),
    Column("training accuracy", format_percent),
    Column("validation loss", format_loss),
    Column("validation accuracy", format_percent),
    Column("averaged weights, validation accuracy", format_percent),
    Column("learning rate", format_rate),
    Column("seconds", format_two_places),
    Column("images/s", format_count),
    Column("memory, bytes", format_count),
)


def build_run_document(run: Run) -> Document:
    """Return everything a report says of ``run``, its evaluations included."""
    measured = [_describe_one_evaluation(path) for path in list_evaluations(run.folder)]
    return Document(
        title=run.name,
        subtitle=_describe_kind(run),
        status=run.status,
        reason=str(run.summary.get("reason") or ""),
        facts=tuple(compute_headline(run.summary)),
        sections=(
            Section("Learning curves", tuple(_draw_curves(run))),
            Section("Result", tuple(_describe_result(run))),
            *measured,
            Section("Corrupted images", tuple(_or_problem(lambda: describe_shift(run.folder / "shift")))),
            Section("Epochs", (_list_epochs(run),)),
            Section("How to reproduce", tuple(describe_reproduction(run))),
            Section("What was run", tuple(describe_environment(run.environment))),
            Section("Settings", (Listing(run.config_text),)),
        ),
    )


def compute_headline(summary: Mapping[str, Any]) -> list[Fact]:
    """Return the numbers that a reader wants first; those the run does not have are left out.

    >>> facts = compute_headline({"metrics": {"train_loss": 0.1, "test_accuracy": 0.98}, "seconds": {"train": 7.5}})
    >>> [f"{fact.label}: {fact.value}" for fact in facts]
    ['test accuracy: 98.00%', 'training loss: 0.1000', 'time: 7.5 s']
    """
    metrics = summary.get("metrics", {})
    facts = [
        Fact(f"{part} {label}", form(value))
        for name, label, form in _MEASURES
        for prefix, part in _PARTS.items()
        if (value := metrics.get(f"{prefix}_{name}")) is not None
    ]
    facts += [Fact(name, format_count(summary[name])) for name in ("parameters", "steps") if name in summary]
    if seconds := summary.get("seconds"):
        facts.append(Fact("time", format_seconds(sum(seconds.values()))))
    return facts


def describe_environment(environment: Mapping[str, Any]) -> list[Block]:
    """Return versions, hardware and digests as a table; what cannot be reproduced from elsewhere comes first."""
    if not environment:
        return [Paragraph("The run folder does not say what it ran on (no env.json).")]
    rows = tuple((name, _as_text(value)) for name, value in flatten(environment).items() if value is not None)
    columns = (Column("what", align="left"), Column("value", align="left"))
    return [Table("environment", columns, rows, caption="Versions, hardware, and sha256 digests of data and splits")]


def describe_commit(environment: Mapping[str, Any]) -> str:
    """Return which code it was, in a sentence."""
    version = environment.get("windtunnel")
    said = f"windtunnel {version}" if version else "an unknown version of windtunnel"
    git = environment.get("git")
    if not git:
        return f"It ran with {said}, outside a git repository."
    changed = ", with changes that were not committed" if git.get("dirty") else ""
    return f"It ran with {said}, in a repository at commit {git.get('commit')}{changed}."


def describe_reproduction(run: Run) -> list[Block]:
    """Return the command that was given, and the one that needs nothing but the settings."""
    blocks: list[Block] = []
    argv = [str(word) for word in run.environment.get("argv") or []]
    if argv and Path(argv[0]).name == "windtunnel":
        blocks += [Paragraph("It was started with:"), Listing(shlex.join([Path(argv[0]).name, *argv[1:]]))]
    blocks += [
        Paragraph("The settings below are complete. Save them as config.yaml (the run folder has the file) and run:"),
        Listing("windtunnel train config.yaml"),
        Paragraph(describe_commit(run.environment)),
    ]
    if run.overrides:
        blocks += [Paragraph("Settings given on top of the recipe:"), Listing("\n".join(run.overrides))]
    return blocks


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a tree's leaves under their dotted paths.

    >>> flatten({"torch": {"version": "2.13", "threads": 2}})
    {'torch.version': '2.13', 'torch.threads': 2}
    """
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves.update(flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value})
    return leaves


def _describe_one_evaluation(folder: Path) -> Section:
    return Section(
        f"Evaluation: {folder.name}", tuple(_or_problem(lambda: describe_evaluation(load_evaluation(folder))))
    )


def _or_problem(describe: Callable[[], list[Block]]) -> list[Block]:
    """Return the blocks, or what is wrong with the file they come from: the rest of the page is still worth having."""
    try:
        return describe()
    except CheckpointError as error:
        return [Paragraph(str(error))]


def _describe_kind(run: Run) -> str:
    data = run.environment.get("data")
    name = data.get("name") if isinstance(data, Mapping) else None
    device = run.summary.get("device") or run.environment.get("device")
    started = run.environment.get("started")
    parts = [
        "Run",
        f"on {name}" if name else "",
        f"on {device}" if device else "",
        f"started {started}" if started else "",
    ]
    return ", ".join(part for part in parts if part)


def _draw_curves(run: Run) -> list[Block]:
    if not run.epochs:
        return [Paragraph("No epoch has finished.")]
    loss, accuracy, rate, throughput = (
        Picture("loss", plot_panel([run], "loss"), "Loss over epochs"),
        Picture("accuracy", plot_panel([run], "accuracy"), "Accuracy over epochs"),
        Picture("schedule", plot_panel([run], "learning rate"), "Learning rate over epochs"),
        Picture("throughput", plot_panel([run], "throughput"), "Training images a second over epochs"),
    )
    blocks: list[Block] = [Row((loss, accuracy)), Row((rate, throughput))]
    if any(row.memory_bytes is not None for row in run.epochs):
        memory = plot_panel([run], "memory")
        blocks.append(Row((Picture("memory", memory, "The most memory held so far, over epochs"),)))
    note = "Training figures are of images as augmented, during the epoch; validation after it."
    return [*blocks, Paragraph(note)]


def _describe_result(run: Run) -> list[Block]:
    metrics = run.summary.get("metrics", {})
    images = _count_images(run)
    rows = [row for prefix, part in _PARTS.items() for row in _result_rows(metrics, prefix, part, images.get(part))]
    if not rows:
        return []
    columns = (
        Column("images of", align="left"),
        Column("accuracy", format_percent),
        Column("95% interval", format_percent_interval),
        Column("top-5", format_percent),
        Column("loss", format_loss),
        Column("calibration error", format_percent),
    )
    caption = "Intervals are Wilson's, of one run; another seed may differ by more"
    table = Table("result", columns, tuple(rows), caption=caption, for_paper=True)
    return [table, *_describe_seconds(run.summary.get("seconds") or {})]


def _count_images(run: Run) -> dict[str, int]:
    """Return how many images a part has: those noted at the start, and those evaluated since, such as later ones."""
    data = run.environment.get("data")
    noted = data.get("images") if isinstance(data, dict) else None
    found = {part: count for part, count in noted.items() if isinstance(count, int)} if isinstance(noted, dict) else {}
    for path in list_evaluations(run.folder):
        with suppress(CheckpointError):
            evaluation = load_evaluation(path)
            found[evaluation.split] = evaluation.images
    return found


def _result_rows(metrics: Mapping[str, Any], prefix: str, part: str, images: int | None) -> list[tuple[Any, ...]]:
    """Return a row for the result's weights and, where they differ, for one view and for the averaged weights."""
    kinds = {"": part, "_plain": f"{part}, one view", "_ema": f"{part}, averaged weights"}
    rows = []
    for suffix, label in kinds.items():
        accuracy = metrics.get(f"{prefix}_accuracy{suffix}")
        others = [metrics.get(f"{prefix}_{name}{suffix}") for name in ("top5_accuracy", "loss", "calibration_error")]
        if accuracy is not None:
            rows.append((label, accuracy, interval_of(accuracy, images), *others))
    return rows


def _describe_seconds(seconds: Mapping[str, float]) -> list[Block]:
    if not seconds:
        return []
    columns = (Column("phase", align="left"), Column("seconds", format_two_places))
    return [Table("seconds", columns, tuple(seconds.items()), caption="Wall clock of each phase, synchronised")]


def _list_epochs(run: Run) -> Block:
    if not run.epochs:
        return Paragraph("None.")
    columns, rows = _EPOCH_COLUMNS, [_epoch_row(row) for row in run.epochs]
    known = [place for place in range(len(columns)) if any(row[place] is not None for row in rows)]
    return Table(
        "epochs",
        tuple(columns[place] for place in known),
        tuple(tuple(row[place] for place in known) for row in rows),
    )


def _epoch_row(row: EpochReport) -> tuple[Any, ...]:
    return (
        row.epoch,
        row.step,
        row.train_loss,
        row.train_accuracy,
        row.val_loss,
        row.val_accuracy,
        row.val_accuracy_ema,
        row.lr,
        row.seconds,
        row.images_per_second,
        row.memory_bytes,
    )


def _as_text(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)
