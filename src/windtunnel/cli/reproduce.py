"""``windtunnel reproduce``: a source report's experiments again, beside the report's own figures."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.options import AsJson, Overrides, Quiet, RunsDir
from windtunnel.cli.tables import format_table
from windtunnel.core.units import format_seconds
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from windtunnel.comparison.trials import Trial
    from windtunnel.dispatch.snapshot import View
    from windtunnel.reproduction.run import ReproductionResult
    from windtunnel.reproduction.types import Plan

_DEFAULT_MINUTES = "30"


def reproduce(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="S0, S1, S2, S3 or S4.")],
    overrides: Overrides = None,
    budget: Annotated[
        str, typer.Option(metavar="MINUTES", help="Wall clock its runs may take here; `full` for the full protocol.")
    ] = _DEFAULT_MINUTES,
    device: Annotated[str, typer.Option(help="auto (every GPU, or else the CPU), cpu, cuda or cuda:N.")] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure this machine, print the plan, train nothing.")
    ] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a source report's experiments again, beside its figures.

    Cut to the budget: epochs first, then images, then widths; every table says what was cut and why figures differ.
    FIELD=VALUE changes every run. Kill it at any moment: the same command goes on, and draws a finished one anew.

    Examples:
      windtunnel reproduce S4
      windtunnel reproduce S4 --budget 10 --dry-run
      windtunnel reproduce S1 --budget 45 data.source.path=/data/cifar10
      windtunnel reproduce S0 --budget full --device cuda
    """
    from windtunnel.reproduction.run import Request, place, plan
    from windtunnel.reproduction.run import reproduce as run_reproduction

    request = Request(report, _parse_budget(budget), tuple(overrides or ()), device, runs_dir)
    silent = quiet or as_json
    chosen, folder = plan(request), place(request).path
    if dry_run and as_json:
        print(json.dumps(_plan_tree(chosen, folder), indent=2))
    elif dry_run or not silent:
        print(describe_plan(chosen, folder), flush=True)
    if dry_run:
        print("nothing was trained (--dry-run)", file=sys.stderr)
        return
    result = run_reproduction(
        request,
        chosen=chosen,
        command=["windtunnel", *sys.argv[1:]],
        view=None if silent else _view,
        tell=_stay_silent if silent else _tell_trial,
    )
    if as_json:
        print((result.found.folder / "reproduction.json").read_text(encoding="utf-8"), end="")
    else:
        print(describe_result(result))
    raise typer.Exit(result.exit_code)


def _parse_budget(text: str) -> float | None:
    if text == "full":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--budget: {text!r} is neither a number of minutes nor `full`") from None


def describe_plan(plan: "Plan", folder: "Path") -> str:
    """Return what is run, what is cut and how long it may take, for the terminal."""
    rows = [
        {
            "run": run.id,
            "model": run.experiment.model.name,
            "epochs": f"{run.experiment.train.epochs:g}",
            "images": "all" if run.experiment.data.train_limit is None else f"{run.experiment.data.train_limit:,}",
            "batch": run.experiment.data.batch_size,
            "time": "" if run.seconds is None else format_seconds(run.seconds),
        }
        for run in plan.runs
    ]
    expected = "unknown" if plan.seconds is None else format_seconds(plan.seconds)
    where = f"{plan.device}, {plan.parallel} at a time with {plan.threads} threads each"
    left_out = [f"left out: {', '.join(plan.left_out)}"] if plan.left_out else []
    return "\n".join(
        [
            f"{plan.report}. {plan.head}",
            "",
            format_table(rows),
            "",
            *left_out,
            f"expected: {expected} on {where}",
            f"folder:   {folder}",
        ]
    )


def _plan_tree(plan: "Plan", folder: "Path") -> dict[str, Any]:
    runs = [
        {"run": run.id, "seconds": run.seconds, "experiment": run.experiment.model_dump(mode="json")}
        for run in plan.runs
    ]
    return {
        "report": plan.report,
        "folder": str(folder),
        "reductions": list(plan.reductions),
        "expected_seconds": plan.seconds,
        "device": plan.device,
        "parallel": plan.parallel,
        "threads": plan.threads,
        "left_out": list(plan.left_out),
        "runs": runs,
    }


def describe_result(result: "ReproductionResult") -> str:
    """Return the figures beside the report's and where the files are, for the terminal."""
    record = json.loads((result.found.folder / "reproduction.json").read_text(encoding="utf-8"))
    sections = [f"{record['report']}. {record['head']}", format_table([_figure_row(row) for row in record["figures"]])]
    sections += [f"no result of {run}: {why}" for run, why in result.found.troubles.items()]
    sections += [f"tables: {result.files[0]}\npage:   {result.found.folder / 'report.html'}"]
    return "\n\n".join(sections)


def _figure_row(row: dict[str, Any]) -> dict[str, str]:
    numbers = {name: _number(row[name]) for name in ("report", "ours", "difference")}
    return {"row": row["row"], "measure": row["measure"], **numbers, "cause": row["cause"]}


def _number(value: float | None) -> str:
    """Return a figure with five digits, a count with all of them.

    >>> _number(94.6512), _number(4754218), _number(None)
    ('94.651', '4,754,218', '')
    """
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.5g}"


def _view() -> "AbstractContextManager[View]":
    from rich.console import Console

    from windtunnel.dispatch.live import show_live

    return show_live(Console(stderr=True))


def _tell_trial(trial: "Trial", position: int) -> None:
    outcome = "diverged" if trial.diverged else f"{trial.accuracy:.2%}"
    print(f"trial {position + 1} of {trial.letter}: {outcome}, {trial.prepare_and_train:.1f} s", flush=True)


def _stay_silent(trial: "Trial", position: int) -> None:
    """Say nothing."""
