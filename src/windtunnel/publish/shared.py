"""What reports of several runs have in common: where they ran, how their settings differ, intervals of means."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from windtunnel.config.files import parse_yaml
from windtunnel.errors import WindtunnelError
from windtunnel.report.document import Block, Column, Paragraph, Table
from windtunnel.report.load import read_json
from windtunnel.report.run_page import describe_commit, describe_environment, flatten

# What differs between runs of one sweep without saying anything about them.
_OWN = {"started", "argv", "placement", "format_version"}


def interval_of_mean(
    values: Sequence[float], *, confidence: float = 0.95, within: tuple[float, float] | None = None
) -> tuple[float, float] | None:
    """Return the t-interval of a mean, or None for fewer than two values.

    Args:
        values: what was measured.
        confidence: that it holds the true mean.
        within: what a mean can be; the interval is cut there.

    >>> [round(end, 4) for end in interval_of_mean([0.9, 0.92, 0.91]) or ()]
    [0.8852, 0.9348]
    """
    if len(values) < 2:
        return None
    mean, n = statistics.fmean(values), len(values)
    reach = float(stdtrit(n - 1, (1 + confidence) / 2)) * statistics.stdev(values) / math.sqrt(n)
    low, high = within or (-math.inf, math.inf)
    return max(mean - reach, low), min(mean + reach, high)


def describe_environments(runs: Sequence[Path]) -> list[Block]:
    """Return what the runs had in common, and where some ran on something else."""
    found = [environment for run in runs if (environment := read_json(run / "env.json"))]
    if not found:
        return [Paragraph("No run has begun, so nothing is known of where they ran.")]
    shared, differing = _compare(found)
    blocks = describe_environment(shared)
    if differing:
        columns = (Column("what", align="left"), Column("values", align="left"))
        caption = "Where the runs were not alike; compare their times with care"
        blocks.append(Table("environment-differences", columns, tuple(differing), caption=caption))
    return blocks


def describe_code(runs: Sequence[Path]) -> Paragraph:
    """Return which code the first run that tells ran with."""
    found = (environment for run in runs if (environment := read_json(run / "env.json")))
    return Paragraph(describe_commit(next(found, {})))


def compare_settings(texts: Mapping[str, str]) -> list[Block]:
    """Return a table of the fields in which configs differ.

    Args:
        texts: design -> its config as YAML.
    """
    flat = {name: _flatten_text(text) for name, text in texts.items()}
    fields = dict.fromkeys(field for settings in flat.values() for field in settings)
    rows = [
        (field, *(_show(settings, field) for settings in flat.values()))
        for field in fields
        if field not in ("name", "project", "seed") and len({_show(settings, field) for settings in flat.values()}) > 1
    ]
    if not rows:
        return []
    columns = (Column("field", align="left"), *(Column(name, align="left") for name in texts))
    return [Table("settings", columns, tuple(rows), caption="Settings in which the designs differ")]


def read_config(run: Path) -> str:
    """Return a run's config, or nothing where there is none yet."""
    path = run / "config.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _compare(environments: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the leaves that all have alike, and those that differ with their values."""
    flat = [flatten({key: value for key, value in one.items() if key not in _OWN}) for one in environments]
    shared: dict[str, Any] = {}
    differing: list[tuple[str, str]] = []
    for field in dict.fromkeys(name for one in flat for name in one):
        values = list(dict.fromkeys(str(one.get(field)) for one in flat))
        if len(values) == 1:
            shared[field] = flat[0].get(field)
        else:
            differing.append((field, ", ".join(values)))
    return shared, differing


def _flatten_text(text: str) -> dict[str, Any]:
    try:
        tree = parse_yaml(text, "config.yaml")
    except WindtunnelError:
        return {}
    return flatten(tree) if isinstance(tree, Mapping) else {}


def _show(settings: Mapping[str, Any], field: str) -> str:
    return str(settings[field]) if field in settings else ""
