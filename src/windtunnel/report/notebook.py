"""How results show themselves in a notebook: a few numbers and a picture, on paper of their own."""

import itertools
import secrets
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from windtunnel.errors import CheckpointError
from windtunnel.report.comparison import load_clouds, plot_plane
from windtunnel.report.confusion import plot_confusion
from windtunnel.report.curves import plot_panel
from windtunnel.report.document import Column, Table
from windtunnel.report.evaluation import to_evaluation
from windtunnel.report.evaluation_blocks import interval_of
from windtunnel.report.load import load_run
from windtunnel.report.numbers import format_percent, format_percent_interval
from windtunnel.report.run_page import compute_headline
from windtunnel.report.settings import PointLike, describe_metric, list_settings, plot_setting
from windtunnel.report.svg import draw_svg

_MOST_ROWS = 8
# Paper of their own: what is on it can be read whatever the notebook's theme.
CARD = Markup(
    '<div style="display: inline-block; max-width: 100%; padding: 10px 14px; border: 1px solid #dde1e6; '
    "border-radius: 6px; background: #fff; color: #16191d; color-scheme: light; overflow-x: auto; "
    'font: 13px/1.45 system-ui, sans-serif">{}</div>'
)
_CELL = Markup('<{0} style="padding: 2px 10px; text-align: {1}; background: #fff; color: #16191d">{2}</{0}>')


def show_run(folder: Path) -> str:
    """Return a run's numbers and curves as HTML for a notebook."""
    run = load_run(folder)
    facts = compute_headline(run.summary)[:_MOST_ROWS]
    rows = tuple((fact.label, fact.value) for fact in facts)
    table = Table("run", (Column(run.name, align="left"), Column(run.status)), rows)
    pictures = [plot_panel([run], "loss"), plot_panel([run], "accuracy")] if run.epochs else []
    return _show(table, pictures, f"Loss and accuracy of {run.name} over epochs", str(folder))


def show_evaluation(result: object) -> str:
    """Return an evaluation's numbers and confusion matrix as HTML for a notebook."""
    found = to_evaluation(result)
    columns = (
        Column("split", align="left"),
        Column("images"),
        Column("accuracy", format_percent),
        Column("95% interval", format_percent_interval),
        Column("calibration error", format_percent),
    )
    row = (
        found.split,
        found.images,
        found.accuracy,
        interval_of(found.accuracy, found.images),
        found.calibration_error,
    )
    figure = plot_confusion(found.confusion, [each.name for each in found.classes], title=found.title)
    return _show(Table("evaluation", columns, (row,)), [figure], "Confusion matrix", "")


def show_points(points: Sequence[PointLike], *, metric: str, folder: Path) -> str:
    """Return a sweep's best points, and its metric over the setting listed first, as HTML for a notebook.

    Args:
        points: the best first.
        metric: name of the metric.
        folder: the sweep's folder.
    """
    names = list_settings(points) or list(points[0].choices if points else ())
    columns = (*(Column(name, align="left") for name in names), Column(metric, "{:.4f}".format), Column("runs"))
    rows = tuple(
        (*(point.choices.get(name) for name in names), point.mean, len(point.values)) for point in points[:_MOST_ROWS]
    )
    figures = [plot_setting(points, names[0], metric=metric)] if names else []
    return _show(Table("points", columns, rows), figures, f"{metric} over {''.join(names[:1])}", str(folder))


def show_comparison(folder: Path, verdicts: Sequence[str]) -> str:
    """Return a comparison's verdicts, means and picture as HTML for a notebook."""
    try:
        clouds, metric = load_clouds(folder)
    except CheckpointError:
        return str(CARD.format("\n".join(verdicts)))
    columns = (
        Column("design", align="left"),
        Column("trials"),
        Column("seconds", "{:.2f}".format),
        Column(describe_metric(metric)[1], "{:.2f}".format),
    )
    rows = tuple(
        (each.label, len(each.seconds), _mean(each.seconds), _mean(each.accuracies)) for each in clouds if each.seconds
    )
    figure = plot_plane(clouds, metric=metric)
    return _show(Table("designs", columns, rows), [figure], "Accuracy against time", str(folder), verdicts)


def _show(table: Table, figures: Sequence[Figure], label: str, place: str, said: Sequence[str] = ()) -> str:
    # one page holds the output of many cells, so ids are drawn at random
    keys = (f"w{secrets.token_hex(4)}{number}" for number in itertools.count())
    drawings = Markup("").join(
        Markup('<div style="flex: 1 1 300px; max-width: 560px">{}</div>').format(
            draw_svg(figure, next(keys), label=label, follows_theme=False)
        )
        for figure in figures
    )
    before = Markup("").join(Markup("<p style='margin: 0 0 6px; max-width: 60em'>{}</p>").format(text) for text in said)
    body = before + _show_table(table) + Markup('<div style="display: flex; flex-wrap: wrap">{}</div>').format(drawings)
    if place:
        body += Markup('<div style="color: #59616b; font-size: 11px">{}</div>').format(place)
    return str(CARD.format(body))


def _show_table(table: Table) -> Markup:
    head = Markup("").join(_CELL.format("th", column.align, column.label) for column in table.columns)
    lines = [
        Markup("").join(_CELL.format("td", column.align, text) for column, text in zip(table.columns, row, strict=True))
        for row in table.texts()
    ]
    body = Markup("").join(Markup("<tr>{}</tr>").format(line) for line in lines)
    return Markup('<table style="border-collapse: collapse; margin: 0">{}{}</table>').format(
        Markup("<thead><tr>{}</tr></thead>").format(head), body
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
