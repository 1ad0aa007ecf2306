"""``windtunnel bench``: the project's benchmarks, and the time any recipe takes to an accuracy."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import windtunnel
from windtunnel.cli.main import help_text
from windtunnel.cli.options import AsJson, Overrides, Quiet, RunsDir
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.comparison.time_to import Attempt, TimeTo


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
    target: Annotated[float, typer.Option(help="Accuracy in percent, e.g. 94.")],
    recipe: Annotated[str, typer.Option(metavar="RECIPE", help="Name of a recipe, or path of a YAML file.")],
    overrides: Overrides = None,
    trials: Annotated[int, typer.Option(min=1, help="Seeds.")] = 3,
    on: Annotated[
        Literal["validation", "test"],
        typer.Option(help="Images the accuracy is measured on; a tenth of train where nothing is held out."),
    ] = "validation",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first trial; the next have the next.")] = 0,
    warm_up: Annotated[bool, typer.Option(help="Spend a few updates before each trial's clock starts.")] = True,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how long a recipe trains until it reaches an accuracy: prepare + train, looking after each epoch.

    Looking is off the clock and uses the recipe's test-time augmentation. The same command goes on where a killed one
    stopped. Exit code 1 when no trial reaches the target.

    Examples:
      windtunnel bench time-to --target 94 --recipe cifar10/airbench94 --trials 5
      windtunnel bench time-to --target 95 --recipe quickstart train.epochs=20
    """
    from windtunnel.comparison.time_to import measure_time_to
    from windtunnel.recipes import load_experiment

    if not 1 < target <= 100:
        raise UsageError(f"--target: {target:g} is no accuracy in percent, above 1 and up to 100; e.g. 94")
    experiment = load_experiment(recipe, overrides or ())
    silent = quiet or as_json
    if not silent:
        print(_plan(recipe, target, trials, on), flush=True)
    tell = _keep_quiet if silent else _print_attempt
    found = measure_time_to(
        experiment,
        target / 100,
        on=on,
        trials=trials,
        first_seed=seed,
        warm_up=warm_up,
        runs_dir=runs_dir,
        tell=tell,
    )
    print((found.folder / "time_to.json").read_text(encoding="utf-8") if as_json else describe(found))
    if not found.reached:
        raise typer.Exit(1)


def describe(found: "TimeTo") -> str:
    """Return what the trials took, in words."""
    n, target = len(found.attempts), f"{100 * found.target:g}%"
    if found.seconds is None or found.median is None or found.epochs is None:
        best = max(attempt.best for attempt in found.attempts)
        return (
            f"\n{target} was never reached in {n} trials; the best after any epoch was {best:.2%}.\n"
            f"Train longer (train.epochs) or lower --target.\nfolder: {found.folder}"
        )
    seconds = found.seconds
    spread = "" if seconds.sd is None else f", sd {seconds.sd:.2f} s"
    lines = [
        f"\n{target} reached by {found.reached} of {n} trials",
        f"prepare + train: median {found.median:.2f} s, mean {seconds.mean:.2f} s{spread}, n={seconds.n}",
        f"epochs: {found.epochs:.3g} on average",
    ]
    if found.reached < n:
        missed = max(attempt.best for attempt in found.attempts if not attempt.reached)
        lines.append(f"the times are of those {found.reached} only; the others came to {missed:.2%} at best")
    return "\n".join([*lines, f"folder: {found.folder}"])


def _plan(recipe: str, target: float, trials: int, on: str) -> str:
    where = "images held out of training" if on == "validation" else "the TEST images, which are read after each epoch"
    return f"{recipe} to {target:g}% on {where}; {trials} trials"


def _print_attempt(attempt: "Attempt") -> None:
    ended = "reached" if attempt.reached else "not reached"
    epochs = f"{attempt.epochs:.3g} epochs, {attempt.accuracy:.2%}"
    print(f"seed {attempt.seed}: {ended} after {attempt.seconds:.2f} s, {epochs}", flush=True)


def _print_line(line: str) -> None:
    print(line, flush=True)


def _keep_quiet(told: object) -> None:
    """Say nothing."""


app.command("run", help=help_text(run))(run)
app.command("time-to", help=help_text(time_to))(time_to)
