"""An ablation as a document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windtunnel.comparison.ratios import percent_of_estimate
from windtunnel.errors import CheckpointError
from windtunnel.publish.comparison_page import describe_end, find_first_run, list_designs, list_facts
from windtunnel.publish.shared import describe_code, describe_environments, read_config
from windtunnel.report.ablation import Bar, plot_effects
from windtunnel.report.document import Block, Column, Document, Listing, Paragraph, Picture, Section, Table
from windtunnel.report.load import read_json
from windtunnel.report.numbers import format_interval, format_p

Tree = Mapping[str, Any]


def build_ablation_document(folder: Path) -> Document:
    """Return everything a report says of the ablation in ``folder``.

    Raises:
        CheckpointError: ``ablation.json`` is damaged.
    """
    found = read_json(folder / "ablation.json")
    try:
        return _build_ablation(folder, found)
    except (LookupError, TypeError) as error:
        raise CheckpointError(f"{folder / 'ablation.json'} holds no finished ablation: {error!r}") from error


def _build_ablation(folder: Path, found: Tree) -> Document:
    variants, rules = found["variants"], found["rules"]
    confidence = 1 - rules["alpha"]
    runs = sorted(path.parent for path in (folder / "runs").glob("*/config.yaml"))
    bars = [_bar(effect) for effect in found["effects"]]
    figure = plot_effects(bars, n=variants["pairs"], confidence=confidence)
    caption = "Filled where the interval leaves 0 out."
    return Document(
        title=folder.name,
        subtitle=f"Ablation of {len(found['changes'])} changes, {found['design'].replace('_', ' ')}",
        status="finished",
        reason=describe_end(variants),
        facts=tuple(list_facts(variants)),
        sections=(
            Section(
                "Effects",
                (Picture("effects", figure, "Effect of each change", caption), _list_effects(found, confidence)),
            ),
            Section("Variants", tuple(list_designs(variants, variants["metric"]))),
            Section("Changes", (_list_changes(found["changes"]),)),
            Section("How to reproduce", tuple(_describe_ablation(folder, found, runs))),
            Section("What it ran on", tuple(describe_environments(runs))),
        ),
    )


def _list_effects(found: Tree, confidence: float) -> Table:
    columns = (
        Column("change", align="left"),
        Column("points of accuracy", "{:+.2f}".format),
        Column(f"{confidence:.0%} interval", format_interval, field="points interval"),
        Column("p", format_p, field="points p adjusted"),
        Column("time, percent more", "{:+.1f}".format),
        Column(f"{confidence:.0%} interval", format_interval, field="percent interval"),
        Column("p", format_p, field="percent p adjusted"),
    )
    rows = tuple(_effect_row(effect) for effect in found["effects"])
    caption = "With the change minus without it, within each seed; t-intervals; p adjusted for all rows (Holm)"
    return Table("effects", columns, rows, caption=caption, for_paper=True)


def _effect_row(effect: Tree) -> tuple[Any, ...]:
    points, time = effect["points"], effect["time"]
    low, mean, high = percent_of_estimate(time)
    return (
        " x ".join(effect["changes"]),
        points["mean"],
        (points["low"], points["high"]),
        points["p_adjusted"],
        mean,
        (low, high),
        time["p_adjusted"],
    )


def _list_changes(changes: Tree) -> Table:
    columns = (Column("change", align="left"), Column("field", align="left"), Column("value", align="left"))
    rows = tuple((name, path, str(value)) for name, fields in changes.items() for path, value in fields.items())
    return Table("changes", columns, rows)


def _describe_ablation(folder: Path, found: Tree, runs: Sequence[Path]) -> list[Block]:
    rules = found["rules"]
    options = f"--design {found['design']} --trials {rules['trials']} --alpha {rules['alpha']:g}"
    options += f" --seed {rules['first_seed']} --metric {found['variants']['metric']}"
    first = found["variants"]["figures"][0]
    base = find_first_run(folder, first["letter"])
    said = (
        "base.yaml"
        if first["name"] == "base"
        else f"base.yaml; this is {first['name']!r}, so take the changes out again"
    )
    return [
        Paragraph("Save the base below as base.yaml and the changes above as changes.yaml, and run:"),
        Listing(f"windtunnel ablate base.yaml --changes changes.yaml {options}"),
        describe_code(runs),
        Paragraph(said),
        *([Listing(read_config(base))] if base is not None else []),
    ]


def _bar(effect: Tree) -> Bar:
    points = effect["points"]
    return Bar(
        label=" x ".join(effect["changes"]),
        points=(points["low"], points["mean"], points["high"]),
        time_percent=percent_of_estimate(effect["time"]),
        is_interaction=len(effect["changes"]) > 1,
    )
