"""``windtunnel compare``: does B really beat A?"""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from windtunnel.cli.compare_texts import Progress, describe, describe_load, describe_plan, describe_power, short_name
from windtunnel.cli.options import AsJson, Quiet, RunsDir

if TYPE_CHECKING:
    from windtunnel.comparison.run import ComparisonResult
    from windtunnel.comparison.trials import Trial
    from windtunnel.config.experiment import Experiment

Metric = Literal["val_accuracy", "test_accuracy"]


def compare(
    references: Annotated[
        list[str],
        typer.Argument(metavar="A B [C ...] [FIELD=VALUE ...]", help="Recipes or YAML files, A the baseline."),
    ],
    trials: Annotated[int, typer.Option(help="Most trials of each.")] = 10,
    metric: Annotated[
        Metric | None, typer.Option(help="Accuracy compared; default validation where all have it, else test.")
    ] = None,
    accuracy_margin: Annotated[float, typer.Option(help="Points of accuracy that count as no difference.")] = 0.2,
    time_margin: Annotated[float, typer.Option(help="Percent of time that count as no difference.")] = 2.0,
    alpha: Annotated[float, typer.Option(help="Error of the first kind of each question.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first trials; the next have the next.")] = 0,
    stop_early: Annotated[bool, typer.Option(help="Stop when every question is settled.")] = True,
    warm_up: Annotated[bool, typer.Option(help="Spend a few updates before each trial's clock starts.")] = True,
    name: Annotated[str | None, typer.Option(help="Name of the comparison's folder.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan, train nothing.")
    ] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say whether B really beats A: interleaved trials with paired seeds, intervals, tests, one plain sentence.

    FIELD=VALUE changes every design. The same command goes on where a killed one stopped; a larger --trials adds to it.
    The sequential test may be looked at after every trial: over all looks it is wrong with probability alpha at most.
    Exit code 0 whatever the verdict, 1 when a trial failed, 2 for what cannot be compared, 130 and 143 when stopped.

    Examples:
      windtunnel compare cifar10/airbench94 mine.yaml --trials 20
      windtunnel compare quickstart bigger.yaml train.epochs=5 --accuracy-margin 0.5
      windtunnel compare a.yaml b.yaml c.yaml --no-stop-early --json
    """
    from windtunnel.comparison.contest import Rules, set_up
    from windtunnel.comparison.run import compare as run_comparison
    from windtunnel.comparison.run import folder_of
    from windtunnel.comparison.trials import find_trials

    designs = _load(references)
    rules = Rules(
        trials, metric, accuracy_margin / 100, time_margin / 100, alpha, seed, stop_early=stop_early, warm_up=warm_up
    )
    contest = set_up(designs, rules)
    folder = folder_of(contest, name, runs_dir)
    silent = quiet or as_json
    if dry_run or not silent:
        print(describe_plan(contest, folder, find_trials(contest, folder)))
    if dry_run:
        print("nothing was trained (--dry-run)")
        return
    tell = _stay_silent if silent else Progress(contest)
    result = run_comparison(designs, rules, name=name, runs_dir=runs_dir, tell=tell)
    if as_json:
        print((result.folder / "comparison.json").read_text(encoding="utf-8"), end="")
        return
    _print_result(result)


def _load(references: list[str]) -> "list[tuple[str, Experiment]]":
    """Return name and experiment of each reference, with the words that are overrides on top of all."""
    from windtunnel.recipes import load_experiment

    overrides = [word for word in references if "=" in word]
    return [
        (short_name(reference), load_experiment(reference, overrides))
        for reference in references
        if "=" not in reference
    ]


def _print_result(result: "ComparisonResult") -> None:
    print(f"\n{describe(result.comparison)}\n\n{result}\n{describe_power(result.comparison)}\n")
    print(describe_load([trial.load for trial in result.trials]), end="")
    print(f"folder:  {result.folder}\npicture: {result.folder / 'comparison.png'}")


def _stay_silent(trial: "Trial", position: int) -> None:
    """Say nothing."""
