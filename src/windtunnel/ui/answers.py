"""What the server answers, as plain values: times in seconds since 1970, what is not known or not finite as null."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from windtunnel.catalog.catalog import Change
from windtunnel.catalog.comparisons import ComparisonReader, ComparisonView
from windtunnel.catalog.curves import CurveSlice
from windtunnel.catalog.details import RunDetails
from windtunnel.catalog.runs import RunRow
from windtunnel.catalog.sweeps import SweepReader
from windtunnel.catalog.timeline import Timeline
from windtunnel.core.files import strip_nonfinite
from windtunnel.sweeps.importance import Importance
from windtunnel.sweeps.results import PointResult, Results, rank_points

_BEST_SHOWN = 20


def to_json(value: Any) -> str:
    """Return ``value`` as compact JSON; NaN and infinity become null.

    >>> to_json({"loss": float("nan")})
    '{"loss":null}'
    """
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(strip_nonfinite(value), separators=(",", ":"), allow_nan=False)


def describe_change(change: Change) -> dict[str, Any]:
    """Return what changed."""
    return {
        "runs": describe_rows(change.runs),
        "removed": list(change.removed),
        "sweeps": describe_rows(change.sweeps),
        "comparisons": describe_rows(change.comparisons),
    }


def describe_rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows of a table; their fields are plain values already."""
    return [dict(vars(row)) for row in rows]


def describe_curves(curves: CurveSlice) -> dict[str, Any]:
    """Return a run's curves."""
    return {"from": curves.first, "rows": curves.rows, "generation": curves.generation, **curves.columns}


def describe_details(row: RunRow | None, details: RunDetails) -> dict[str, Any]:
    """Return a run in full."""
    return {"row": vars(row) if row else None, **asdict(details)}


def describe_sweep(
    reader: SweepReader, results: Results, importance: Importance | None, known: frozenset[str]
) -> dict[str, Any]:
    """Return a sweep with every run.

    Args:
        reader: the sweep.
        results: its points.
        importance: what mattered, or None where that cannot be said.
        known: ids of all runs that have a folder.
    """
    config = results.definition.config
    return {
        "row": vars(reader.row) if reader.row else None,
        "axes": list(config.space),
        "metric": config.metric,
        "goal": "max" if config.maximise else "min",
        "runs": [entry for point in results.points for entry in _describe_point(reader, point, known)],
        "refused": [
            {"point": dict(point.choices), "reason": point.refusal} for point in results.points if point.refusal
        ],
        "best": [
            {"point": dict(point.choices), "mean": point.mean, "sd": point.deviation, "n": len(point.values)}
            for point in rank_points(results)[:_BEST_SHOWN]
            if point.values
        ],
        "importance": importance.shares if importance else None,
        "importance_note": explain_importance(importance),
    }


def explain_importance(importance: Importance | None) -> str:
    """Return in words how much the importances mean."""
    if importance is None:
        return "needs at least 4 settings with a finished run, and 2 fields that vary"
    return (
        f"The forest behind these shares explains {max(importance.explained, 0):.0%} of the differences between "
        f"{importance.points} settings it was not grown on; near 0% they mean nothing."
    )


def describe_timeline(sweep: str, run_ids: dict[str, str], timeline: Timeline) -> dict[str, Any]:
    """Return a sweep's timeline.

    Args:
        sweep: the sweep's id.
        run_ids: ids of its runs, by job.
        timeline: the timeline.
    """
    devices = [asdict(lane) for lane in timeline.devices]
    for lane in devices:
        for span in lane["spans"]:
            span["run"] = run_ids.get(span["job"])
    return {
        "sweep": sweep,
        "now": timeline.now,
        "opened": timeline.opened,
        "devices": devices,
        "queue": asdict(timeline.queue),
        "lower_bound_s": timeline.bound.seconds if timeline.bound else None,
        "bound_by": timeline.bound.term if timeline.bound else None,
        "bounds": timeline.bound.terms if timeline.bound else None,
        "elapsed_s": timeline.elapsed_s,
        "remaining": timeline.remaining,
        "paused": timeline.paused,
    }


def describe_comparison(reader: ComparisonReader, view: ComparisonView) -> dict[str, Any]:
    """Return a comparison with every trial."""
    designs = [
        {
            **asdict(design),
            "n": len(design.runs),
            "seconds_mean": design.seconds_mean,
            "accuracy_mean": design.accuracy_mean,
        }
        for design in view.designs
    ]
    row = vars(reader.row) if reader.row else None
    return {
        "row": row,
        "kind": view.kind,
        "metric": view.metric,
        "designs": designs,
        "verdicts": view.verdicts,
        "note": view.note,
        "effects": [asdict(effect) for effect in view.effects],
        "attempts": [asdict(attempt) for attempt in view.attempts],
    }


def _describe_point(reader: SweepReader, point: PointResult, known: frozenset[str]) -> list[dict[str, Any]]:
    return [
        {
            "id": id if (id := reader.run_id(run.id)) in known else None,
            "job": run.id,
            "point": dict(point.choices),
            "seed": run.seed,
            "score": run.value,
            "status": run.status,
            "reason": run.reason,
        }
        for run in point.runs
    ]
