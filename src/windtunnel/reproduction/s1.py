"""S1: four changes to airbench94, baseline against modified, and what S1 left out: intervals, and each change alone."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.comparison.ablation import plan_variants
from windtunnel.comparison.changes import load_changes
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Airbench
from windtunnel.publish.ablation_page import build_ablation_document
from windtunnel.recipes import load_experiment
from windtunnel.report.curves import plot_panel
from windtunnel.report.document import Block, Paragraph, Picture, Row
from windtunnel.report.load import load_run, read_json
from windtunnel.reproduction.types import (
    Beside,
    Chapter,
    Explanation,
    Limits,
    Line,
    Measure,
    Report,
    ReportRun,
    Reproduced,
)

_TRIALS = 5
_PASSES = 7.0  # six views and the plain one
_SEEDS = 0.5  # points that another seed may bring
_BASE, _MODIFIED = "base", "all_four"
# Its tables A.4 and A.5: seconds and percent, baseline and modified.
_THEIRS = (
    (114.545, 94.03, 108.288, 93.08),
    (114.254, 94.00, 107.908, 93.15),
    (114.332, 93.99, 107.976, 93.16),
    (114.365, 94.01, 107.866, 93.22),
    (114.409, 94.08, 108.334, 91.45),
)
_OTHER_MACHINE = "The seconds are of another machine and, for ours, of preparing and training alone; compare the ratio."
_CROP_FIX = "Ours does not mirror in the modified design; how S1's did, its text leaves open."
_OTHER_BOTTLENECK = "What a change saves depends on what the machine waits for, which is another one here."

Figures = tuple[float, ...]


@dataclass(frozen=True)
class Trial:
    """A trial read back: its run folder, seconds compared, and test accuracy in percent."""

    folder: Path
    seconds: float
    percent: float


def build_runs() -> list[ReportRun]:
    """Return airbench94 with its images streamed, each of S1's changes alone, and all four together."""
    base = load_experiment("cifar10/airbench94", ["data.placement=streaming"]).model_dump(mode="json")
    variants = plan_variants(base, load_changes("s1_reproduction"), "one_at_a_time")
    return [ReportRun(variant.name, variant.experiment, test_passes=_PASSES) for variant in variants]


def narrow(experiment: Experiment, factor: float) -> Experiment:
    """Return ``experiment`` with airbench's convolutions ``factor`` times as wide."""
    model = experiment.model
    assert isinstance(model, Airbench)
    widths = tuple(max(round(width * factor), 1) for width in model.widths)
    return experiment.model_copy(update={"model": model.model_copy(update={"widths": widths})})


def present(found: Reproduced) -> list[Chapter]:
    """Return S1's trials beside ours, what all changes and each of them do, and every trial's loss."""
    if found.comparison is None:
        return [Chapter("Trials", (Paragraph("The trials have not ended; give the same command again."),))]
    names = [run.id for run in found.plan.runs]
    base, modified = (read_trials(found.comparison, names.index(name)) for name in (_BASE, _MODIFIED))
    effects = build_ablation_document(found.comparison).sections[0].blocks
    return [
        Chapter("Trials", tuple(_compare_trials(base, modified, found))),
        Chapter("What each change does", (*effects, Paragraph(_EFFECTS_NOTE))),
        Chapter("Loss of every trial", tuple(_draw_losses(base, modified))),
    ]


_EFFECTS_NOTE = (
    "S1 measured all changes at once. Here each is trained alone against the base with the same seeds, in turn; the "
    "intervals are t-intervals over the seeds. crop_only takes mirroring away, early_on_device sets resident "
    "images against streamed ones."
)


def read_trials(comparison: Path, place: int) -> list[Trial]:
    """Return the trials of the contestant at ``place``, the base at 0, by seed."""
    letter = chr(ord("A") + place)
    return [_read_trial(path.parent) for path in sorted(comparison.glob(f"runs/*-{letter}/trial.json"))]


def _read_trial(folder: Path) -> Trial:
    summary: dict[str, Any] = read_json(folder / "summary.json")
    seconds = summary["seconds"]
    spent = seconds.get("prepare", 0.0) + seconds.get("train", 0.0)
    return Trial(folder, spent, 100 * summary["metrics"].get("test_accuracy", 0.0))


def _compare_trials(base: Sequence[Trial], modified: Sequence[Trial], found: Reproduced) -> list[Beside]:
    return [
        _compare_seconds(base, modified, found),
        _compare_accuracies(base, modified),
        _compare_effect(base, modified, found),
    ]


def _compare_seconds(base: Sequence[Trial], modified: Sequence[Trial], found: Reproduced) -> Beside:
    theirs = [(first, second) for first, _, second, _ in _THEIRS]
    ours = [(a.seconds, b.seconds) for a, b in zip(base, modified, strict=True)]
    measures = (Measure("baseline s", 0.5, decimals=3), Measure("modified s", 0.5, decimals=3))
    why = _explain(found, _OTHER_MACHINE)
    lines = [
        Line((trial,), here, mine, fix=_OTHER_MACHINE, why=why) for trial, here, mine in _name_trials(theirs, ours)
    ]
    return Beside("seconds", ("trial",), measures, tuple(lines), "S1's tables A.4 and A.5: seconds of each trial")


def _compare_accuracies(base: Sequence[Trial], modified: Sequence[Trial]) -> Beside:
    theirs = [(first, second) for _, first, _, second in _THEIRS]
    ours = [(a.percent, b.percent) for a, b in zip(base, modified, strict=True)]
    measures = (Measure("baseline %", _SEEDS), Measure("modified %", _SEEDS))
    lines = [Line((trial,), here, mine, fix=_CROP_FIX) for trial, here, mine in _name_trials(theirs, ours)]
    return Beside(
        "accuracy", ("trial",), measures, tuple(lines), "S1's tables A.4 and A.5: test accuracy of each trial"
    )


def _name_trials(theirs: Sequence[Figures], ours: Sequence[Figures]) -> list[tuple[str, Figures, Figures]]:
    """Return each trial's number and figures, theirs and ours, and last the means."""
    rows = [(f"{number}", *pair) for number, pair in enumerate(zip(theirs, ours, strict=False), 1)]
    return [*rows, ("mean", _means(theirs), _means(ours))]


def _compare_effect(base: Sequence[Trial], modified: Sequence[Trial], found: Reproduced) -> Beside:
    ours = _effect([(a.seconds, a.percent, b.seconds, b.percent) for a, b in zip(base, modified, strict=True)])
    line = Line(
        ("all four changes",), _effect(_THEIRS), ours, fix=_OTHER_BOTTLENECK, why=_explain(found, _OTHER_BOTTLENECK)
    )
    measures = (Measure("time, percent more", 2.0, decimals=1), Measure("points of accuracy", _SEEDS))
    return Beside(
        "effect", ("change",), measures, (line,), "What S1's modification does: ratio and difference of means"
    )


def _effect(rows: Sequence[Figures]) -> tuple[float, float]:
    base_s, base, modified_s, modified = _means(rows)
    return 100 * (modified_s / base_s - 1), modified - base


def _means(rows: Sequence[Figures]) -> Figures:
    return tuple(statistics.fmean(column) for column in zip(*rows, strict=True))


def _explain(found: Reproduced, sentence: str) -> Explanation | None:
    """Return what to say at full protocol, where the rule would take the machine for a fix of ours."""
    return None if found.plan.reductions or found.plan.other_settings else Explanation("other machine", sentence)


def _draw_losses(base: Sequence[Trial], modified: Sequence[Trial]) -> list[Block]:
    pictures = []
    for name, trials, figure in (("baseline", base, 1), ("modified", modified, 2)):
        runs = [load_run(trial.folder) for trial in trials]
        labels = [f"seed {number}" for number in range(len(runs))]
        label = f"Training loss of the {name} trials (its figure {figure})"
        pictures.append(Picture(f"loss-{name}", plot_panel(runs, "loss", labels=labels), label, label))
    return [Row(tuple(pictures))]


REPORT = Report(
    id="S1",
    title="Four changes to a speed run, baseline against modified",
    build_runs=build_runs,
    present=present,
    limits=Limits(least_epochs=2.5, least_images=50_000, widths=(0.5, 0.25), narrow=narrow),
    trials=_TRIALS,
)
