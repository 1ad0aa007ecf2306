"""Tables that set our figures beside the report's, and the rule that says why they differ."""

from collections.abc import Callable, Sequence
from typing import Any

from windtunnel.report.document import Column, Table
from windtunnel.reproduction.types import Beside, Explanation, Line, Measure, Plan, Reproduced

LONG_HEADINGS = ("table", "row", "measure", "report", "ours", "difference", "cause", "sentence")


def explain(line: Line, measures: Sequence[Measure], found: Reproduced) -> Explanation:
    """Return why a row's figures differ from the report's, by one rule for all rows.

    In this order: the row says so itself; no figure of ours; nothing beyond the tolerances; the run was cut (what we do
    otherwise on purpose is named as well); settings were set by hand; what we do otherwise on purpose; unknown.
    """
    if line.why is not None:
        return line.why
    if all(value is None for value in line.ours):
        return Explanation("not run", _why_missing(line, found))
    if not _differs(line, measures):
        return _say_none(line)
    return _name_cause(line, found.plan)


def build_table(beside: Beside, found: Reproduced) -> Table:
    """Return the table for a page: three columns a measure, the cause and a sentence; its head says what was cut."""
    columns = [Column(heading, align="left") for heading in beside.headings]
    for measure in beside.measures:
        columns += _columns(measure)
    columns += [Column("cause", align="left"), Column("why", align="left")]
    rows = tuple(_row(line, beside, found) for line in beside.lines)
    caption = ". ".join(text.rstrip(".") for text in (beside.caption, found.plan.head) if text)
    return Table(beside.name, tuple(columns), rows, caption=f"{caption}.", for_paper=True)


def list_long(beside: Beside, found: Reproduced) -> list[dict[str, Any]]:
    """Return a mapping for each figure of the table, with the keys ``LONG_HEADINGS``; values unrounded."""
    rows = []
    for line in beside.lines:
        why, row = explain(line, beside.measures, found), " / ".join(filter(None, line.labels))
        for measure, theirs, ours in zip(beside.measures, line.theirs, line.ours, strict=True):
            figures = (theirs, ours, _difference(theirs, ours))
            cells = (beside.name, row, measure.label, *figures, why.cause, why.sentence)
            rows.append(dict(zip(LONG_HEADINGS, cells, strict=True)))
    return rows


def _columns(measure: Measure) -> list[Column]:
    def plain(value: float) -> str:
        return f"{value:,.{measure.decimals}f}"

    def signed(value: float) -> str:
        return f"{value:+z,.{measure.decimals}f}"

    shows: tuple[tuple[str, Callable[[float], str]], ...] = (("report", plain), ("ours", plain), ("difference", signed))
    return [Column(f"{measure.label}, {name}", show) for name, show in shows]


def _row(line: Line, beside: Beside, found: Reproduced) -> tuple[Any, ...]:
    why = explain(line, beside.measures, found)
    figures = [
        value
        for theirs, ours in zip(line.theirs, line.ours, strict=True)
        for value in (theirs, ours, _difference(theirs, ours))
    ]
    return (*line.labels, *figures, why.cause, why.sentence)


def _difference(theirs: float | None, ours: float | None) -> float | None:
    return None if theirs is None or ours is None else ours - theirs


def _differs(line: Line, measures: Sequence[Measure]) -> bool:
    pairs = zip(line.theirs, line.ours, measures, strict=True)
    gaps = [(_difference(theirs, ours), measure.tolerance) for theirs, ours, measure in pairs]
    return any(gap is not None and abs(gap) > tolerance for gap, tolerance in gaps)


def _say_none(line: Line) -> Explanation:
    if all(value is None for value in line.theirs):
        return Explanation("none", "The report gives no figure.")
    if any(theirs is not None and ours is None for theirs, ours in zip(line.theirs, line.ours, strict=True)):
        return Explanation("none", "No difference beyond the tolerance where we have a figure.")
    return Explanation("none", "No difference beyond the tolerance.")


def _name_cause(line: Line, plan: Plan) -> Explanation:
    fix = f" {line.fix}" if line.fix else ""
    if plan.reductions:
        return Explanation("reduced budget", f"Reduced budget: {', '.join(plan.reductions)}.{fix}")
    if plan.other_settings:
        return Explanation("set by hand", f"Not the report's settings: {', '.join(plan.other_settings)}.{fix}")
    if line.fix:
        return Explanation("our fix", line.fix)
    return Explanation("unknown", "Unknown: the full protocol was run and nothing in the report accounts for it.")


def _why_missing(line: Line, found: Reproduced) -> str:
    if line.run in found.plan.left_out:
        return "Left out to keep the budget."
    if line.run in found.troubles:
        return f"The run has no result: {found.troubles[line.run]}."
    return "We have no such figure."
