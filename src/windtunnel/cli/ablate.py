"""``windtunnel ablate``: what each of several changes does."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from windtunnel.cli.compare_texts import EXPLANATION, Progress, describe_load, describe_plan, figures_row, interval
from windtunnel.cli.options import AsJson, Overrides, Quiet, Reference, RunsDir
from windtunnel.cli.tables import format_table
from windtunnel.comparison.ratios import percent_of_estimate

if TYPE_CHECKING:
    from windtunnel.comparison.ablation import Ablation, Effect, Estimate
    from windtunnel.comparison.trials import Trial


def ablate(
    reference: Reference,
    changes: Annotated[str, typer.Option(metavar="FILE", help="YAML of changes; or s1_ablation, s1_ablation_small.")],
    overrides: Overrides = None,
    design: Annotated[
        Literal["one_at_a_time", "leave_one_out", "factorial"],
        typer.Option(help="Each change alone; all but each; or every combination (up to 4 changes)."),
    ] = "one_at_a_time",
    trials: Annotated[int, typer.Option(help="Trials of each variant; paired seeds.")] = 5,
    metric: Annotated[
        Literal["val_accuracy", "test_accuracy"] | None,
        typer.Option(help="Accuracy compared; default validation where there is one, else test."),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Error of the first kind.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first trials; the next have the next.")] = 0,
    warm_up: Annotated[bool, typer.Option(help="Spend a few updates before each trial's clock starts.")] = True,
    name: Annotated[str | None, typer.Option(help="Name of the ablation's folder.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan, train nothing.")
    ] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say what each of several changes does to accuracy and time.

    FIELD=VALUE changes the base itself. The same command goes on where a killed one stopped; more --trials add to it.
    A change is `name: [path=value, ...]` or `name: {path: value}` in the file.

    Examples:
      windtunnel ablate cifar10/airbench94 --changes s1_ablation
      windtunnel ablate cifar10/s1_small --changes s1_ablation_small --trials 5
      windtunnel ablate mine.yaml --changes changes.yaml --design leave_one_out --trials 10
      windtunnel ablate quickstart train.epochs=3 --changes changes.yaml --design factorial --json
    """
    from windtunnel.comparison.ablation import ablate as run_ablation
    from windtunnel.comparison.ablation import place_of, plan_variants
    from windtunnel.comparison.changes import load_changes
    from windtunnel.comparison.contest import Rules, set_up
    from windtunnel.comparison.trials import find_trials
    from windtunnel.recipes import load_experiment

    base = load_experiment(reference, overrides or ()).model_dump(mode="json")
    wanted = load_changes(changes)
    rules = Rules(trials, metric, alpha=alpha, first_seed=seed, stop_early=False, warm_up=warm_up)
    contest = set_up([(one.name, one.experiment) for one in plan_variants(base, wanted, design)], rules)
    folder = place_of(contest, name, runs_dir)
    silent = quiet or as_json
    if dry_run or not silent:
        print(describe_plan(contest, folder, find_trials(contest, folder)))
    if dry_run:
        print("nothing was trained (--dry-run)")
        return
    tell = _stay_silent if silent else Progress(contest)
    found = run_ablation(base, wanted, design=design, rules=rules, name=name, runs_dir=runs_dir, tell=tell)
    if as_json:
        print((folder / "ablation.json").read_text(encoding="utf-8"), end="")
    else:
        _print_result(found, alpha)


def _print_result(found: "Ablation", alpha: float) -> None:
    print(
        f"\n{describe(found, alpha)}\n\n{describe_load([trial.load for trial in found.trials])}folder:  {found.folder}"
    )
    print(f"picture: {found.folder / 'ablation.png'}")


def describe(found: "Ablation", alpha: float) -> str:
    """Return the tables of an ablation, for terminals of 120 columns."""
    comparison = found.comparison
    told = (
        "effect of each change: with it minus without it, within each seed; t-intervals; p adjusted for all rows (Holm)"
    )
    rows = [_row(effect, alpha) for effect in found.effects]
    alone = [row for row, effect in zip(rows, found.effects, strict=True) if len(effect.changes) == 1]
    both = [row for row, effect in zip(rows, found.effects, strict=True) if len(effect.changes) == 2]
    sections = [
        f"{comparison.pairs} trials each, {comparison.metric}, {found.design}",
        format_table([figures_row(figures) for figures in comparison.figures]),
        EXPLANATION,
        told,
        format_table(alone),
    ]
    if both:
        sections += ["interaction: how much more one does with the other than without it", format_table(both)]
    return "\n\n".join(sections)


def _row(effect: "Effect", alpha: float) -> dict[str, Any]:
    points, (low, mean, high) = effect.points, percent_of_estimate(vars(effect.time))
    confidence = f"{100 * (1 - alpha):.4g}% CI"
    return {
        "change": effect.label,
        "points": f"{points.mean:+.2f}",
        confidence: interval(points.low, points.high, 2, "+"),
        "p": _p(points),
        "accuracy": _verdict(points, alpha, "better", "worse"),
        "time %": f"{mean:+.1f}",
        f"{confidence} ": interval(low, high, 1, "+"),
        "p ": _p(effect.time),
        "time": _verdict(effect.time, alpha, "slower", "faster"),
    }


def _verdict(estimate: "Estimate", alpha: float, more: str, less: str) -> str:
    shown = estimate.mean != 0 if estimate.p_adjusted is None else estimate.p_adjusted < alpha
    return "not shown" if not shown else more if estimate.mean > 0 else less


def _p(estimate: "Estimate") -> str:
    return "no spread" if estimate.p_adjusted is None else f"{estimate.p_adjusted:.4f}"


def _stay_silent(trial: "Trial", position: int) -> None:
    """Say nothing."""
