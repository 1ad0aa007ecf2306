"""S2's reproduction as a page: the sweep table, its named runs beside the report's, and its combined plots."""

from collections.abc import Sequence
from statistics import fmean, stdev

from windtunnel.config.run import EarlyStopping
from windtunnel.core.reports import EpochReport
from windtunnel.report.document import Block, Column, Paragraph, Table
from windtunnel.report.numbers import format_count, format_loss
from windtunnel.reproduction.s2_curves import draw_grid_curves, draw_named_curves
from windtunnel.reproduction.s2_figures import (
    EXTENDED,
    FEARLESS,
    PRETRAINED,
    SWEEP_RUNS,
    Setting,
    Told,
    list_settings,
)
from windtunnel.reproduction.types import Beside, Chapter, Explanation, Line, Measure, Reproduced
from windtunnel.sweeps.score import keep_improvements

_MEASURES = (
    Measure("train %", 2.0, 2),
    Measure("val %", 1.5, 2),
    Measure("val loss", 0.05, 3),
    Measure("train loss", 0.05, 3),
    Measure("epochs", 5, 0),
)
_VALIDATION = 1  # where validation accuracy stands among them
_RULE = EarlyStopping(metric="val_loss", patience=3, min_delta=0.01)

_SPLIT = "Validation images are a tenth of the training images here; the report does not say which it took."
_UNMIXED = (
    "Mixed labels alone have an entropy of 0.5 nats on average, so the report's training loss says that few batches or "
    "none were mixed, whatever its table says; ours all are."
)
_FROM_SCRATCH = "The report calls its ResNet-18 pretrained on ImageNet; ours starts from random weights."
_NO_WEIGHTS = Explanation(
    "not run",
    "There are no ImageNet weights here. With a network, windtunnel train cifar100/s2_pretrained --dry-run fetches "
    "them; with a file of them, it is windtunnel train cifar100/s2_pretrained model.pretrained=false "
    "model.weights=FILE.",
)


def present_s2(found: Reproduced) -> list[Chapter]:
    """Return the chapters of the page."""
    return [
        Chapter("Named runs", (Paragraph(_HOW_MEASURED), _build_named(found), *draw_named_curves(found))),
        Chapter("The sweep", (_build_sweep(found),)),
        Chapter("Which settings mattered", tuple(_describe_settings(found))),
        Chapter("All runs", tuple(draw_grid_curves(found))),
    ]


_HOW_MEASURED = (
    "Figures are those of the epoch whose weights early stopping keeps, the last one that lowered the validation loss "
    "by 0.01; `epochs` counts those trained. The report does not say which epoch its figures are of. One run each, "
    "seed 0. The test split is not read, since the report has no test figures."
)


def kept_epoch(found: Reproduced, run: str) -> EpochReport | None:
    """Return the epoch whose weights early stopping keeps; None without one."""
    kept = keep_improvements(found.runs[run].epochs, _RULE) if run in found.runs else []
    return kept[-1] if kept else None


def read_figures(found: Reproduced, run: str) -> tuple[float | None, ...]:
    """Return train %, val %, val loss, train loss and epochs of a run; None for each where it has no result."""
    kept = kept_epoch(found, run)
    if kept is None or kept.val_accuracy is None:
        return (None,) * len(_MEASURES)
    epochs = float(len(found.runs[run].epochs))
    return (100 * kept.train_accuracy, 100 * kept.val_accuracy, kept.val_loss, kept.train_loss, epochs)


def _build_named(found: Reproduced) -> Beside:
    lines = [_name_line(setting, told, found) for setting, told in SWEEP_RUNS.items()]
    lines += [_unmixed_line(setting, told, found) for setting, told in SWEEP_RUNS.items()]
    lines.append(_line(EXTENDED, "as azure, 100 epochs", EXTENDED.name, found, fix=_SPLIT))
    lines.append(_pretrained_line(found))
    return Beside("named-runs", ("run", "setting"), _MEASURES, tuple(lines), "Tables 2, 4, 6, 8 and 10 of the report")


def _name_line(setting: Setting, told: Told, found: Reproduced) -> Line:
    fix = _FROM_SCRATCH if setting.model == "resnet18" else _UNMIXED
    return _line(told, _say(setting), setting.id, found, fix=f"{fix} {_SPLIT}")


def _unmixed_line(setting: Setting, told: Told, found: Reproduced) -> Line:
    """Return the report's figures beside our run of the same settings but without mixing."""
    fix = f"{_FROM_SCRATCH} {_SPLIT}" if setting.model == "resnet18" else _SPLIT
    off = setting._replace(mixing=False)
    return _line(told, _say(off), off.id, found, fix=f"Not the report's setting: mixing off. {fix}")


def _pretrained_line(found: Reproduced) -> Line:
    planned = {run.id for run in found.plan.runs} | set(found.plan.left_out)
    why = None if PRETRAINED.name in planned else _NO_WEIGHTS
    setting = "ResNet-18 from ImageNet at 224 pixels, adam 0.001, cosine, mixing on"
    return _line(PRETRAINED, setting, PRETRAINED.name, found, fix=_SPLIT, why=why)


def _line(told: Told, setting: str, run: str, found: Reproduced, *, fix: str, why: Explanation | None = None) -> Line:
    theirs = (told.train, told.validation, told.validation_loss, told.train_loss, told.epochs)
    return Line((told.name, setting), theirs, read_figures(found, run), run=run, fix=fix, why=why)


def _say(setting: Setting) -> str:
    model, mixing, optimizer, lr, schedule = setting.labels
    return f"{model}, {optimizer} {lr}, {schedule}, mixing {mixing}"


def _build_sweep(found: Reproduced) -> Table:
    columns = (
        *(Column(label, align="left") for label in ("model", "mixing", "optimizer", "lr", "schedule")),
        Column("train %", "{:.2f}".format),
        Column("val %", "{:.2f}".format),
        Column("val loss", format_loss),
        Column("train loss", format_loss),
        Column("epochs", format_count),
        Column("in the report", align="left"),
    )
    figures = {setting: read_figures(found, setting.id) for setting in list_settings()}
    ranked = sorted(figures, key=lambda setting: figures[setting][_VALIDATION] or -1.0, reverse=True)
    rows = tuple((*setting.labels, *figures[setting], _describe_end(setting, found)) for setting in ranked)
    caption = f"The 32 runs, best validation accuracy first. {found.plan.head}."
    return Table("sweep", columns, rows, caption=caption, for_paper=True)


def _describe_end(setting: Setting, found: Reproduced) -> str:
    if setting.id in found.troubles:
        return f"no result: {found.troubles[setting.id]}"
    told = SWEEP_RUNS.get(setting)
    return f"{told.name}, {told.validation}%" if told else ""


_SIDES: Sequence[tuple[str, str, Setting, Setting]] = (
    ("model", "PreAct ResNet-18 over ResNet-18", FEARLESS, FEARLESS._replace(model="resnet18")),
    ("mixing", "on over off", FEARLESS, FEARLESS._replace(mixing=False)),
    ("optimizer", "adam over sgd", FEARLESS, FEARLESS._replace(optimizer="sgd")),
    ("lr", "0.01 over 0.0001", FEARLESS._replace(lr=1e-2), FEARLESS),
    ("schedule", "cosine over plateau", FEARLESS, FEARLESS._replace(schedule="plateau")),
)


def _describe_settings(found: Reproduced) -> list[Block]:
    """Return the paired effect of each setting: all else equal, over the pairs of runs that both have a result."""
    rows = []
    for field, label, first, second in _SIDES:
        gaps = _list_gaps(found, field, getattr(first, field), getattr(second, field))
        if gaps:
            spread = stdev(gaps) if len(gaps) > 1 else None
            rows.append((field, label, fmean(gaps), spread, float(sum(gap > 0 for gap in gaps)), float(len(gaps))))
    if not rows:
        return []
    columns = (
        Column("setting", align="left"),
        Column("compared", align="left"),
        Column("points of validation accuracy, mean", "{:+.2f}".format),
        Column("standard deviation over pairs", "{:.2f}".format),
        Column("pairs above 0", format_count),
        Column("pairs", format_count),
    )
    caption = f"Differences of two runs that differ in one setting alone. {found.plan.head}."
    return [Table("settings", columns, tuple(rows), caption=caption, for_paper=True)]


def _list_gaps(found: Reproduced, field: str, first: object, second: object) -> list[float]:
    gaps = []
    for setting in list_settings():
        if getattr(setting, field) == first:
            other = Setting(**setting._asdict() | {field: second})
            high, low = read_figures(found, setting.id)[_VALIDATION], read_figures(found, other.id)[_VALIDATION]
            if high is not None and low is not None:
                gaps.append(high - low)
    return gaps
