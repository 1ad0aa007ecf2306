"""``windtunnel compare``: does B really beat A?"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from windtunnel.cli.options import AsJson, Quiet, RunsDir
from windtunnel.cli.tables import format_table

if TYPE_CHECKING:
    from windtunnel.comparison.answer import Comparison, Figures
    from windtunnel.comparison.trials import Trial

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

    Examples:
      windtunnel compare cifar10/airbench94 mine.yaml --trials 20
      windtunnel compare quickstart bigger.yaml train.epochs=5 --accuracy-margin 0.5
      windtunnel compare a.yaml b.yaml c.yaml --no-stop-early --json
    """
    from windtunnel.comparison.contest import Rules, set_up
    from windtunnel.comparison.run import compare as run_comparison
    from windtunnel.comparison.run import folder_of
    from windtunnel.recipes import load_experiment

    overrides = [word for word in references if "=" in word]
    designs = [
        (_short(reference), load_experiment(reference, overrides)) for reference in references if "=" not in reference
    ]
    rules = Rules(
        trials, metric, accuracy_margin / 100, time_margin / 100, alpha, seed, stop_early=stop_early, warm_up=warm_up
    )
    contest = set_up(designs, rules)
    if dry_run:
        print(f"{folder_of(contest, name, runs_dir)}: up to {trials} trials each, by {contest.metric}")
        for contestant in contest.contestants:
            print(f"  {contestant.label}")
        print("nothing was trained (--dry-run)")
        return
    result = run_comparison(
        designs, rules, name=name, runs_dir=runs_dir, tell=_stay_silent if quiet or as_json else _tell
    )
    if as_json:
        print((result.folder / "comparison.json").read_text(encoding="utf-8"), end="")
        return
    print(f"\n{describe(result.comparison)}\n\n{result}\n\nfolder:  {result.folder}")
    print(f"picture: {result.folder / 'comparison.png'}")


def describe(comparison: "Comparison") -> str:
    """Return the tables of a comparison."""
    tables = [
        format_table([_row(figures) for figures in comparison.figures]),
        format_table([_answer_row(answer) for answer in map(asdict, comparison.answers)]),
    ]
    stopped = ", stopped early: every question is settled" if comparison.stopped_early else ""
    return f"{comparison.pairs} trials each, {comparison.metric}{stopped}\n\n" + "\n\n".join(tables)


def _row(figures: "Figures") -> dict[str, Any]:
    accuracy, seconds, clocks = figures.accuracy, figures.seconds, figures.clocks
    row: dict[str, Any] = {
        "design": f"{figures.letter} {figures.name}",
        "accuracy %": f"{accuracy.mean:.2f}",
        "95% CI": _interval(accuracy.low, accuracy.high, 2),
        "sd": _number(accuracy.sd, 2),
        "prepare+train s": f"{seconds.mean:.2f}",
        "95% CI ": _interval(seconds.low, seconds.high, 2),
        "with evaluation": f"{clocks['lineage']:.2f}",
        "cold start": f"{clocks['cold_start']:.1f}",
    }
    if figures.diverged:
        row["diverged"] = figures.diverged
    return row


def _answer_row(answer: dict[str, Any]) -> dict[str, Any]:
    accuracy, time = answer["accuracy"], answer["time"]
    return {
        "against A": answer["letter"],
        "points": f"{accuracy['difference']:+.2f}",
        "p": _number(answer["accuracy_p"], 4),
        "signs p": _number(accuracy["p_signs"], 4),
        "effect g": _number(accuracy["effect"], 2),
        "P(better)": _number(accuracy["probability_positive"], 3),
        "p equal": _number(accuracy["p_equivalent"], 4),
        "settled": f"{answer['accuracy_finding']['decision']}, {answer['accuracy_finding']['evidence']}",
        "log time": f"{time['difference']:+.3f}",
        "p ": _number(answer["time_p"], 4),
        "settled ": f"{answer['time_finding']['decision']}, {answer['time_finding']['evidence']}",
        "trials for margin": answer["trials_for_margin"],
    }


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _tell(trial: "Trial", position: int) -> None:
    outcome = "diverged" if trial.diverged else f"{trial.accuracy:.2%}"
    print(
        f"trial {position + 1} {trial.letter}, seed {trial.seed}: {outcome}, {trial.prepare_and_train:.2f} s",
        flush=True,
    )


def _stay_silent(trial: "Trial", position: int) -> None:
    """Say nothing."""


def _short(reference: str) -> str:
    path = Path(reference)
    return path.stem if path.suffix in (".yaml", ".yml") else reference
