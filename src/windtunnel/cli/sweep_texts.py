"""Sweeps in words and as plain values: the plan of one, and what came of one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from windtunnel.cli.tables import format_table
from windtunnel.config.sweep import Axis
from windtunnel.core.units import format_bytes, format_seconds
from windtunnel.dispatch.forecast import Forecast
from windtunnel.dispatch.types import Estimate
from windtunnel.sweeps.definition import describe_value
from windtunnel.sweeps.dry_run import Plan
from windtunnel.sweeps.importance import Importance
from windtunnel.sweeps.results import PointResult, Results, compare_with, rank_points
from windtunnel.sweeps.space import Choices, Space

_LONGEST_SETTING = 40


def format_plan(plan: Plan, space: Space, *, top: int) -> str:
    """Return a dry run: the first runs with what they need, and how long all take."""
    rows = [
        {
            "run": run.id,
            **_name_choices(space, run.choices),
            "seed": run.seed,
            "memory": format_bytes(run.estimate.bytes),
            "time": _format_time(run.estimate),
            **({"problem": run.misfit} if any(other.misfit for other in plan.runs) else {}),
        }
        for run in plan.runs[:top]
    ]
    shown = f", the first {len(rows)} of them" if len(rows) < plan.total else ""
    lines = [f"{plan.total} runs{shown}:", "", format_table(rows), ""]
    if plan.unpriced:
        lines.append(f"{plan.unpriced} more follow from results; they are taken to be like these")
    if plan.refused:
        first = plan.refused[0]
        lines.append(f"{len(plan.refused)} points are not run; point {first.number}: {first.refusal}")
    return "\n".join([*lines, *_describe_forecast(plan.forecast), "nothing was trained (--dry-run)"])


def plan_tree(plan: Plan) -> dict[str, Any]:
    """Return a dry run as plain values."""
    return {
        "runs": [asdict(run) for run in plan.runs],
        "refused": [asdict(point) for point in plan.refused],
        "total": plan.total,
        "unpriced": plan.unpriced,
        "forecast": asdict(plan.forecast) if plan.forecast else None,
    }


def format_results(results: Results, importance: Importance | None, *, top: int | None) -> str:
    """Return the best points, how the runs ended and which settings mattered."""
    ranked = rank_points(results)
    run_points = [point for point in ranked if point.runs]
    lines = [_describe_runs(results), "", format_table(_point_rows(results, run_points[:top]))]
    refused = len(ranked) - len(run_points)
    if refused:
        lines += ["", f"{refused} points were not run, see --json; the first: {_first_refusal(results)}"]
    lines += [f"{run.id} {run.status}: {run.reason}" for run in results.runs if run.status in ("failed", "diverged")]
    return "\n".join([*lines, "", *_describe_importance(importance)])


def results_tree(results: Results, importance: Importance | None, *, top: int | None) -> dict[str, Any]:
    """Return a sweep's results as plain values, the best point first."""
    config = results.definition.config
    points = rank_points(results)
    best = points[0] if points else None
    return {
        "name": config.name,
        "metric": config.metric,
        "mode": "max" if config.maximise else "min",
        "runs": dict(Counter(run.status for run in results.runs)),
        "points": [_point_tree(point, best) for point in points[:top]],
        "importance": asdict(importance) if importance else None,
    }


def run_rows(results: Results) -> list[dict[str, Any]]:
    """Return one row a run, with a column a setting."""
    paths = list(results.definition.config.space)
    return [
        {
            "run": run.id,
            "point": point.number,
            "seed": run.seed,
            **{path: describe_value(point.choices[path]) if path in point.choices else "" for path in paths},
            "status": run.status,
            results.definition.config.metric: "" if run.value is None else run.value,
            "epochs": run.epochs,
            "seconds": "" if run.seconds is None else run.seconds,
            "peak_bytes": "" if run.peak_bytes is None else run.peak_bytes,
        }
        for point in results.points
        for run in point.runs
    ]


def _describe_forecast(forecast: Forecast | None) -> list[str]:
    if forecast is None:
        return ["time: not known before one run of its kind has been measured on this machine"]
    low, high = format_seconds(forecast.low_seconds), format_seconds(forecast.high_seconds)
    bound = forecast.bound
    return [
        f"time: {format_seconds(forecast.seconds)} ({low} to {high}), packed by {forecast.policy}",
        f"no packing takes less than {format_seconds(bound.seconds)}, because of: {bound.term}",
    ]


def _format_time(estimate: Estimate) -> str:
    if estimate.seconds is None:
        return "not known"
    return format_seconds(estimate.seconds)


def _describe_runs(results: Results) -> str:
    config = results.definition.config
    counts = Counter(run.status for run in results.runs)
    told = ", ".join(f"{count} {status}" for status, count in counts.most_common()) or "none yet"
    goal = "bigger" if config.maximise else "smaller"
    return f"{config.name}: {len(results.runs)} runs ({told}); {config.metric}, {goal} is better"


def _first_refusal(results: Results) -> str:
    return next(point.refusal for point in results.points if point.refusal)


def _point_rows(results: Results, points: Sequence[PointResult]) -> list[dict[str, Any]]:
    space, metric = results.definition.config.space, results.definition.config.metric
    is_share = metric.endswith("accuracy")
    return [
        {
            "rank": rank,
            **_name_choices(space, point.choices),
            metric: _format_value(point.mean, is_share=is_share),
            "sd": _format_value(point.deviation, is_share=is_share),
            "n": len(point.values),
            "to best": _format_difference(points[0], point, is_share=is_share) if rank > 1 else "",
            "runs": _name_runs(point),
        }
        for rank, point in enumerate(points, 1)
    ]


def _name_choices(space: Space, choices: Choices) -> dict[str, str]:
    """Return a column for each setting that varies."""
    varied = [path for path, axis in space.items() if axis.values is None or len(axis.values) > 1]
    return {path: _shorten(_name_value(space[path], choices, path)) for path in varied}


def _name_value(axis: Axis, choices: Choices, path: str) -> str:
    """Return a setting in words: a component by its name alone where that tells it from the other values."""
    if path not in choices:
        return ""
    value = choices[path]
    if not isinstance(value, Mapping) or "name" not in value:
        return describe_value(value)
    names = [each.get("name") if isinstance(each, Mapping) else each for each in axis.values or ()]
    return str(value["name"]) if names.count(value["name"]) == 1 else describe_value(value)


def _name_runs(point: PointResult) -> str:
    """Return the ids of a point's runs; those that have not finished with their status."""
    told = [run.id if run.status == "finished" else f"{run.id} ({run.status})" for run in point.runs]
    return " ".join(told)


def _format_value(value: float | None, *, is_share: bool) -> str:
    if value is None:
        return ""
    return f"{value:.2%}" if is_share else f"{value:.4f}"


def _format_difference(best: PointResult, point: PointResult, *, is_share: bool) -> str:
    difference = compare_with(best, point)
    if difference is None:
        return ""
    scale, form = (100, "{:+.2f}") if is_share else (1, "{:+.4f}")
    spread = difference.deviation
    shown = form.format(scale * difference.mean)
    return shown if spread is None else f"{shown} +- {form.format(scale * spread).lstrip('+')}"


def _describe_importance(importance: Importance | None) -> list[str]:
    if importance is None:
        return ["importance of settings: needs two settings that vary and four points with a finished run"]
    shares = ", ".join(f"{path} {share:.0%}" for path, share in importance.shares.items())
    return [
        f"importance of settings: {shares}",
        f"(by a forest over {importance.points} points that explains {importance.explained:.0%} of the variance of "
        "points it has not seen; near 0% the shares mean nothing)",
    ]


def _point_tree(point: PointResult, best: PointResult | None) -> dict[str, Any]:
    difference = compare_with(best, point) if best is not None and point is not best else None
    return {
        "point": point.number,
        "choices": dict(point.choices),
        "mean": point.mean,
        "deviation": point.deviation,
        "n": len(point.values),
        "to_best": asdict(difference) if difference else None,
        "refusal": point.refusal,
        "runs": [asdict(run) for run in point.runs],
    }


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_SETTING else text[: _LONGEST_SETTING - 3] + "..."
