"""A sweep as a document; works on one that is still going or was killed."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from windtunnel.catalog.timeline import Timeline, read_timeline
from windtunnel.core.units import format_bytes, format_seconds
from windtunnel.dispatch.journal import is_held
from windtunnel.publish.shared import describe_code, describe_environments, interval_of_mean
from windtunnel.publish.timeline import draw_timeline
from windtunnel.report.curves import Panel, plot_panel
from windtunnel.report.document import Block, Column, Document, Fact, Listing, Paragraph, Picture, Row, Section, Table
from windtunnel.report.load import load_run
from windtunnel.report.numbers import format_count
from windtunnel.report.settings import list_settings, plot_importance, plot_parallel, plot_setting
from windtunnel.sweeps.definition import DEFINITION_FILE, describe_choices, describe_value
from windtunnel.sweeps.folder import SweepFolder
from windtunnel.sweeps.importance import Importance, compute_importance
from windtunnel.sweeps.results import PointResult, Results, RunRow, compare_with, rank_points, read_results
from windtunnel.sweeps.winner import read_tests

_MOST_CURVES = 6  # colours that can be told apart
_MOST_POINTS_PRINTED = 10
_MOST_SETTINGS_DRAWN = 6
_LONGEST_LABEL = 60
_PANELS: tuple[tuple[str, Panel], ...] = (("loss", "loss"), ("accuracy", "accuracy"), ("schedule", "learning rate"))


def build_sweep_document(folder: Path) -> Document:
    """Return everything a report says of the sweep in ``folder``.

    Raises:
        UsageError: its definition or journal is damaged.
    """
    sweep = SweepFolder(folder)
    results = read_results(sweep)
    ranked, importance, timeline = rank_points(results), compute_importance(results), read_timeline(folder)
    runs = [sweep.run(run.id) for run in results.runs]
    return Document(
        title=results.definition.config.name,
        subtitle=_describe_kind(results),
        status="running" if is_held(folder / "dispatch") else "idle" if _is_open(results) else "finished",
        reason=_describe_endings(results),
        facts=tuple(_list_facts(results, ranked, timeline)),
        sections=(
            Section("Best settings", tuple(_list_best(results, ranked))),
            Section("What mattered", tuple(_draw_settings(results, ranked, importance))),
            Section("Learning curves of the best runs", tuple(_draw_curves(sweep, ranked))),
            Section("Devices over time", tuple(_draw_devices(timeline))),
            Section("Test split", tuple(_list_tests(sweep))),
            Section("Every run", (_list_runs(results),)),
            Section("How to reproduce", tuple(_describe_reproduction(sweep, runs))),
            Section("What it ran on", tuple(describe_environments(runs))),
            Section("Definition", (Listing((folder / DEFINITION_FILE).read_text(encoding="utf-8")),)),
        ),
    )


def _describe_kind(results: Results) -> str:
    config = results.definition.config
    goal = "most" if config.maximise else "least"
    source = results.definition.base.get("name", "an experiment")
    return f"Sweep of {source}, {config.strategy.name}, for the {goal} {_words(config.metric)}"


def _is_open(results: Results) -> bool:
    return any(run.status in ("not started", "waiting", "running") for run in results.runs)


def _describe_endings(results: Results) -> str:
    counts = Counter(run.status for run in results.runs)
    return ", ".join(f"{number} {status}" for status, number in counts.most_common())


def _list_facts(results: Results, ranked: Sequence[PointResult], timeline: Timeline | None) -> list[Fact]:
    config = results.definition.config
    facts = []
    best = ranked[0] if ranked else None
    if best is not None and best.mean is not None:
        facts.append(Fact(f"best {_words(config.metric)}", _form(config.metric, best.mean), _describe_spread(best)))
        facts.append(Fact("with", describe_choices(best.choices) or "the base's settings"))
    facts += [
        Fact("runs", format_count(len(results.runs))),
        Fact("points", format_count(len(results.points)), f"{len(results.definition.seeds)} seeds each"),
    ]
    if timeline is not None:
        facts.append(Fact("time", format_seconds(timeline.elapsed_s), _describe_bound(timeline)))
    worked = sum(run.seconds or 0.0 for run in results.runs)
    if worked:
        facts.append(Fact("time of all runs", format_seconds(worked)))
    return facts


def _describe_bound(timeline: Timeline) -> str:
    return f"at least {format_seconds(timeline.bound.seconds)}" if timeline.bound else ""


def _describe_spread(point: PointResult) -> str:
    n = len(point.values)
    return f"mean of {n} seeds" if n > 1 else "one seed"


def _list_best(results: Results, ranked: Sequence[PointResult]) -> list[Block]:
    measured = [point for point in ranked if point.mean is not None]
    if not measured:
        return [Paragraph("No run has measured the metric yet.")]
    metric = results.definition.config.metric
    names = list(dict.fromkeys(name for point in measured for name in point.choices))
    columns = (
        Column("rank"),
        *(Column(name, describe_value, align="left") for name in names),
        Column(f"mean {_words(metric)}", lambda value: _form(metric, value)),
        Column("95% interval", lambda ends: f"{_form(metric, ends[0])} to {_form(metric, ends[1])}"),
        Column("standard deviation", lambda value: _form(metric, value)),
        Column("seeds"),
        Column("difference to the best, same seeds", lambda value: _form_difference(metric, value)),
    )
    share = "accuracy" in metric
    rows = [_best_row(place, point, measured[0], names, is_share=share) for place, point in enumerate(measured, 1)]
    caption = "Intervals are t-intervals over seeds; the best of many is luckier than it looks"
    short = Table("best", columns, tuple(rows[:_MOST_POINTS_PRINTED]), caption=caption, for_paper=True)
    if len(rows) <= _MOST_POINTS_PRINTED:
        return [short]
    return [short, Table("points", columns, tuple(rows), caption=f"All {len(rows)} points with a result")]


def _best_row(
    place: int, point: PointResult, best: PointResult, names: Sequence[str], *, is_share: bool
) -> tuple[Any, ...]:
    paired = compare_with(best, point) if point is not best else None
    return (
        place,
        *(point.choices.get(name) for name in names),
        point.mean,
        interval_of_mean(point.values, within=(0.0, 1.0) if is_share else None),
        point.deviation,
        len(point.values),
        paired.mean if paired else None,
    )


def _draw_settings(results: Results, ranked: Sequence[PointResult], importance: Importance | None) -> list[Block]:
    measured = [point for point in ranked if point.values]
    names = list_settings(measured)
    if not names:
        return []
    config = results.definition.config
    blocks: list[Block] = []
    if importance is not None:
        names = sorted(names, key=lambda name: -importance.shares.get(name, 0.0))
        figure = plot_importance(importance.shares, explained=importance.explained)
        blocks.append(Picture("importance", figure, "Importance of each setting", _describe_importance(importance)))
    if len(names) > 1:
        figure = plot_parallel(measured, metric=config.metric, maximise=config.maximise)
        blocks.append(
            Picture("settings", figure, "Every point as a line over its settings", "Thick lines are the best.")
        )
    pictures = tuple(
        Picture(f"setting-{place}", plot_setting(measured, name, metric=config.metric), f"{config.metric} over {name}")
        for place, name in enumerate(names[:_MOST_SETTINGS_DRAWN], 1)
    )
    blocks += [Row(pictures), Paragraph("Each dot is a run, each bar the mean of one value of the setting.")]
    if importance is not None:
        columns = (Column("setting", align="left"), Column("share", "{:.0%}".format))
        blocks.append(Table("importance", columns, tuple(importance.shares.items())))
    return blocks


def _describe_importance(importance: Importance) -> str:
    return (
        f"Permutation importance of a random forest over {importance.points} points. It explains "
        f"{importance.explained:.0%} of the variance of points it has not seen; where that is little, the shares mean "
        "little as well."
    )


def _draw_curves(sweep: SweepFolder, ranked: Sequence[PointResult]) -> list[Block]:
    chosen = [(point, run) for point in ranked for run in point.runs if run.epochs][:_MOST_CURVES]
    runs = [load_run(sweep.run(run.id)) for _, run in chosen]
    if not runs:
        return []
    labels = [_shorten(f"{describe_choices(point.choices)} seed {run.seed}".strip()) for point, run in chosen]
    pictures = tuple(
        Picture(name, plot_panel(runs, panel, labels=labels), f"{panel} of the best runs over epochs".capitalize())
        for name, panel in _PANELS
    )
    return [Row(pictures), Paragraph("Dashed: training. Solid: validation. Dotted: averaged weights.")]


def _draw_devices(timeline: Timeline | None) -> list[Block]:
    if timeline is None or not any(device.spans for device in timeline.devices):
        return []
    columns = (
        Column("device", align="left"),
        Column("workers", format_count),
        Column("memory its runs may hold", format_bytes),
        Column("most set aside", format_bytes),
        Column("most held", format_bytes),
    )
    rows = tuple(
        (
            device.name,
            len(device.spans),
            device.total_bytes,
            max(device.memory.predicted, default=None),
            max(device.memory.measured, default=None),
        )
        for device in timeline.devices
    )
    return [
        Picture("timeline", draw_timeline(timeline), "Runs and memory of each device over time"),
        Table("devices", columns, rows),
    ]


def _list_tests(sweep: SweepFolder) -> list[Block]:
    tests = read_tests(sweep)
    if not tests:
        return [Paragraph("The test split has not been read for any run of this sweep.")]
    columns = (
        Column("run", align="left"),
        Column("weights", align="left"),
        Column("test accuracy", "{:.2%}".format),
        Column("test loss", "{:.4f}".format),
    )
    rows = tuple((one["run"], one["weights"], one.get("test_accuracy"), one.get("test_loss")) for one in tests)
    table = Table("tests", columns, rows, for_paper=True, caption="Read after the sweep, for the runs named here")
    if len({one["run"] for one in tests}) == 1:
        return [table]
    return [table, Paragraph("More than one run was tested: choosing between them by this would make it too good.")]


def _list_runs(results: Results) -> Table:
    metric = results.definition.config.metric
    names = list(dict.fromkeys(name for point in results.points for name in point.choices))
    columns = (
        Column("run", align="left"),
        *(Column(name, describe_value, align="left") for name in names),
        Column("seed"),
        Column("status", align="left"),
        Column(_words(metric), lambda value: _form(metric, value)),
        Column("epochs"),
        Column("seconds", "{:.1f}".format),
        Column("most memory", format_bytes),
        Column("reason", align="left"),
    )
    rows = tuple(_run_row(point, run, names) for point in results.points for run in point.runs)
    return Table("runs", columns, rows)


def _run_row(point: PointResult, run: RunRow, names: Sequence[str]) -> tuple[Any, ...]:
    choices = [point.choices.get(name) for name in names]
    reason = "" if run.status == "finished" else run.reason
    return (run.id, *choices, run.seed, run.status, run.value, run.epochs, run.seconds, run.peak_bytes, reason)


def _describe_reproduction(sweep: SweepFolder, runs: Sequence[Path]) -> list[Block]:
    return [
        Paragraph(
            f"The definition below is complete. Save it as {DEFINITION_FILE} (the sweep's folder has it) and run:"
        ),
        Listing(f"windtunnel sweep {DEFINITION_FILE}"),
        Paragraph("A single run of it: give its folder's config.yaml to windtunnel train."),
        describe_code(runs),
    ]


def _shorten(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else "…" + label[1 - _LONGEST_LABEL :]


def _words(metric: str) -> str:
    return metric.replace("val_", "validation ").replace("_", " ")


def _form(metric: str, value: float) -> str:
    return f"{value:.2%}" if "accuracy" in metric else f"{value:.4f}"


def _form_difference(metric: str, value: float) -> str:
    return f"{100 * value:+.2f} points" if "accuracy" in metric else f"{value:+.4f}"
