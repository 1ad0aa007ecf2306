"""A run as one HTML page that needs nothing else: no network, no script, fit to print."""

import io
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from windtunnel.core.files import write_text
from windtunnel.report.curves import plot_curves
from windtunnel.report.load import Run, load_run
from windtunnel.report.theme import house_style


@dataclass(frozen=True)
class Fact:
    """One number of the head of the page, as text."""

    label: str
    value: str


def write_report(run_dir: Path) -> Path:
    """Write the run in ``run_dir`` as ``report.html`` beside its files and return that path."""
    path = run_dir / "report.html"
    write_text(path, render_report(load_run(run_dir)))
    return path


def render_report(run: Run) -> str:
    """Return the page of ``run`` as text; everything the user wrote is escaped."""
    pages = Environment(
        loader=PackageLoader("windtunnel.report", "templates"), autoescape=True, undefined=StrictUndefined
    )
    pages.filters["percent"] = format_percent
    return pages.get_template("run.html").render(
        run=run,
        status=run.summary.get("status", "unfinished"),
        reason=run.summary.get("reason") or "",
        headline=compute_headline(run.summary),
        curves=draw_svg(run),
        environment={name: _as_text(value) for name, value in flatten(run.environment).items()},
    )


def compute_headline(summary: Mapping[str, Any]) -> list[Fact]:
    """Return the numbers that a reader wants first; those the run does not have are left out.

    >>> facts = compute_headline({"metrics": {"train_loss": 0.1, "test_accuracy": 0.98}, "seconds": {"train": 7.5}})
    >>> [f"{fact.label}: {fact.value}" for fact in facts]
    ['test accuracy: 98.00%', 'training loss: 0.1000', 'time: 7.5 s']
    """
    metrics = summary.get("metrics", {})
    facts = [
        Fact(f"{part} {label}", form(metrics[f"{prefix}_{name}"]))
        for name, label, form in _MEASURES
        for prefix, part in _PARTS.items()
        if f"{prefix}_{name}" in metrics
    ]
    facts += [Fact(name, f"{summary[name]:,}") for name in ("parameters", "steps") if name in summary]
    if seconds := summary.get("seconds"):
        facts.append(Fact("time", format_seconds(sum(seconds.values()))))
    return facts


def draw_svg(run: Run) -> Markup:
    """Return the curves as an SVG element for the page."""
    buffer = io.StringIO()
    with house_style():
        plot_curves([run]).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a tree's leaves under their dotted paths.

    >>> flatten({"torch": {"version": "2.13", "threads": 2}})
    {'torch.version': '2.13', 'torch.threads': 2}
    """
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves.update(flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value})
    return leaves


def format_percent(fraction: float | None) -> str:
    """Return a fraction as percent, or nothing where nothing was measured.

    >>> format_percent(0.97219)
    '97.22%'
    """
    return "" if fraction is None else f"{fraction:.2%}"


def format_seconds(seconds: float) -> str:
    """Return a duration as people say it.

    >>> [format_seconds(value) for value in (7.25, 95, 3725)]
    ['7.2 s', '1 min 35 s', '1 h 2 min']
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _as_text(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)


_PARTS = {"test": "test", "val": "validation", "train": "training"}
_MEASURES = (
    ("accuracy", "accuracy", format_percent),
    ("accuracy_plain", "accuracy, one view", format_percent),
    ("top5_accuracy", "top-5 accuracy", format_percent),
    ("loss", "loss", "{:.4f}".format),
)
