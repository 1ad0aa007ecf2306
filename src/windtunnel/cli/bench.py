"""``windtunnel bench``: the project's benchmarks, and the time any recipe takes to an accuracy."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import windtunnel
from windtunnel.cli.compare_texts import short_name
from windtunnel.cli.main import help_text
from windtunnel.cli.options import AsJson, Quiet, RunsDir
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.config.experiment import Experiment


class RunByDefault(TyperGroup):
    """Takes ``windtunnel bench step`` for ``windtunnel bench run step``, and no words for all benchmarks."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``run`` in front of words that do not begin with a verb of the group."""
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(rich_markup_mode=None, cls=RunByDefault)


@app.callback()
def _bench() -> None:
    """Run the project's benchmarks; or measure how long a recipe trains until it reaches an accuracy.

    `windtunnel bench NAME ...` is short for `windtunnel bench run NAME ...`.
    """


def run(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Benchmarks; default all.")] = None,
    output: Annotated[Path, typer.Option(help="Where the results go.")] = Path("bench.json"),
    show: Annotated[bool, typer.Option("--list", help="Print their names and run none.")] = False,
    quiet: Quiet = False,
) -> None:
    """Run benchmarks of the project, which print peers beside ours, and write bench.json.

    They lie in windtunnel's source, so this needs a clone of its repository. Exit code 1 when one of them fails.

    Examples:
      windtunnel bench
      windtunnel bench run step loader --output /tmp/bench.json
    """
    from windtunnel.comparison.benchmarks import find_benchmarks, list_benchmarks, run_benchmarks

    folder = find_benchmarks([Path.cwd(), Path(windtunnel.__file__).resolve()])
    if show:
        print("\n".join(list_benchmarks(folder)))
        return
    outcomes = run_benchmarks(folder, names or (), output, tell=_keep_quiet if quiet else _print_line)
    print(f"written: {output}")
    failed = [outcome.name for outcome in outcomes if outcome.exit_code]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
        raise typer.Exit(1)


def time_to(
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="[A B ...] [FIELD=VALUE ...]", help="Recipes or YAML files; all are measured in turn."),
    ] = None,
    target: Annotated[float, typer.Option(help="Accuracy in percent, e.g. 94.")] = 94.0,
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Data set for all; by itself it stands for that set's own fast recipe."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Seeds.")] = 3,
    on: Annotated[
        Literal["validation", "test"],
        typer.Option(help="Images the accuracy is measured on; a tenth of train where nothing is held out."),
    ] = "validation",
    every: Annotated[float, typer.Option(help="Epochs between two looks; fractions allowed.")] = 0.25,
    after: Annotated[float, typer.Option(help="Epochs before the first look.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first trial; the next have the next.")] = 0,
    warm_up: Annotated[bool, typer.Option(help="Spend a few updates before each trial's clock starts.")] = True,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how long recipes train until they reach an accuracy: prepare + train, in turn, with paired seeds.

    Looking is off the clock, uses the recipe's test-time augmentation, and stops the training where the target is
    reached; the schedule is that of the whole recipe. The first recipe is what the others' times are divided by. The
    same command goes on where a killed one stopped. Exit code 1 when a recipe never reaches the target.

    Examples:
      windtunnel bench time-to --target 94 --data cifar10
      windtunnel bench time-to cifar10/airbench94_muon cifar10/fast94 --target 90 --trials 5 --after 2
      windtunnel bench time-to quickstart train.epochs=20 --target 95
    """
    from windtunnel.cli.time_to_texts import announce, describe, describe_attempt
    from windtunnel.comparison.time_to import measure_time_to
    from windtunnel.comparison.time_to_trial import Goal

    if not 1 < target <= 100:
        raise UsageError(f"--target: {target:g} is no accuracy in percent, above 1 and up to 100; e.g. 94")
    goal = Goal(target / 100, on, every, after)
    designs = _designs(references or [], data, target)
    silent = quiet or as_json
    tell = _keep_quiet if silent else lambda attempt: print(describe_attempt(attempt), flush=True)
    if not silent:
        print(announce([name for name, _ in designs], goal, trials), flush=True)
    found = measure_time_to(
        designs, goal, trials=trials, first_seed=seed, warm_up=warm_up, runs_dir=runs_dir, tell=tell
    )
    print((found.folder / "time_to.json").read_text(encoding="utf-8") if as_json else describe(found))
    if not found.all_reached:
        raise typer.Exit(1)


def _designs(words: list[str], data: str | None, target: float) -> "list[tuple[str, Experiment]]":
    """Return name and experiment of each recipe, with overrides and the data set on top."""
    from windtunnel.recipes import load_experiment
    from windtunnel.recipes.load import fast_recipe

    names, overrides = [word for word in words if "=" not in word], [word for word in words if "=" in word]
    if not names and data is None:
        raise UsageError(
            "name a recipe, e.g. cifar10/fast94, or a data set with --data, whose fast recipe is then taken"
        )
    if not names:
        return [(name := fast_recipe(str(data), target), load_experiment(name, overrides))]
    source = [] if data is None else [f"data.source={{name: {data}}}"]
    return [(short_name(name), load_experiment(name, [*source, *overrides])) for name in names]


def _print_line(line: str) -> None:
    print(line, flush=True)


def _keep_quiet(told: object) -> None:
    """Say nothing."""


app.command("run", help=help_text(run))(run)
app.command("time-to", help=help_text(time_to))(time_to)
