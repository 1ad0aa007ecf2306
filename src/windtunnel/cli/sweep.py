"""``windtunnel sweep``: many runs around one experiment, what came of them, and the test of the one chosen."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from windtunnel.cli.main import help_text
from windtunnel.cli.options import AsJson, Overrides, Quiet, RunsDir, Track
from windtunnel.cli.pictures import check_picture
from windtunnel.core.cells import plain_cell
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from windtunnel.dispatch.snapshot import View
    from windtunnel.sweeps.definition import Definition
    from windtunnel.sweeps.engines import Machine
    from windtunnel.sweeps.folder import SweepFolder
    from windtunnel.sweeps.run import SweepResult

_MOST_CURVES = 8  # colours that can be told apart
SweepDir = Annotated[
    str, typer.Argument(metavar="SWEEP", help="A sweep's folder, or the name of one under the runs folder.")
]

Memory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="What runs may hold on each device, e.g. 8GB; default 90%.")
]
MaxRuns = Annotated[int | None, typer.Option(metavar="N", help="Most runs at a time on each device, whatever fits.")]
EngineName = Annotated[
    Literal["local", "join", "ray", "fused"],
    typer.Option(
        help="local packs runs here; join leaves them to machines that `windtunnel worker --join` the folder; ray "
        "to the nodes of a cluster; fused trains runs of one architecture as one network where that is faster."
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Runs that failed or diverged go once more, each once in its life.")
]
Start = Annotated[
    Literal["auto", "fork", "spawn"],
    typer.Option(help="Workers as forks of a process with torch imported, or each anew; auto forks on the CPU."),
]
ShareData = Annotated[
    Literal["auto", "on", "off"],
    typer.Option(help="Images on a device once for all runs; auto on GPUs, and only if a self-test passes."),
]
Mps = Annotated[
    bool, typer.Option("--mps", help="Let runs share a GPU by NVIDIA's MPS; starts a daemon where none answers.")
]


class RunByDefault(TyperGroup):
    """Takes ``windtunnel sweep s2_sweep`` for ``windtunnel sweep run s2_sweep``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``run`` in front of words that do not begin with a verb of the group."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(rich_markup_mode=None, cls=RunByDefault)


@app.callback()
def _sweep() -> None:
    """Run many settings of an experiment, as many at a time as fit; the same command goes on after a stop.

    `windtunnel sweep SWEEP` is short for `windtunnel sweep run SWEEP`.
    """


def run(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="SWEEP", help="A sweep's name (`windtunnel recipes`), YAML file, W&B sweep file or folder."
        ),
    ],
    overrides: Overrides = None,
    runs_dir: RunsDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and take; train nothing.")] = False,
    top: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    device: Annotated[str, typer.Option(help="auto (every GPU, or else the CPU), cpu, cuda or cuda:N.")] = "auto",
    memory: Memory = None,
    parallel: Annotated[int | None, typer.Option(help="Most runs at a time on the CPU; default by cores.")] = None,
    max_runs_per_device: MaxRuns = None,
    threads: Annotated[int, typer.Option(help="CPU threads of each run.")] = 1,
    policy: Annotated[str, typer.Option(help="How runs are packed: auto, weighted, lpt, fifo, bfd, ...")] = "auto",
    engine: EngineName = "local",
    address: Annotated[str, typer.Option(help="Of the Ray cluster.")] = "auto",
    retry_failed: RetryFailed = False,
    start: Start = "auto",
    share_data: ShareData = "auto",
    mps: Mps = False,
    track: Track = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a sweep, as many runs at a time as devices hold.

    Every point is checked before anything starts. No run reads the test split. Kill it at any moment: the same command
    goes on. Exit code 0 when all runs ended well, 3 when some failed.

    Examples:
      windtunnel sweep run quickstart_sweep
      windtunnel sweep s2_sweep --dry-run
      windtunnel sweep s2_sweep train.epochs=5 'space.optim.lr=[0.01,0.1]' repeats=3 name=s2_short
      windtunnel sweep mine.yaml strategy=tpe strategy.runs=40 --memory 8GB
      windtunnel sweep wandb-sweep.yaml base=cifar10/cnn
    """
    from windtunnel.sweeps.definition import load_definition
    from windtunnel.sweeps.engines import Engine
    from windtunnel.sweeps.run import find_place, run_definition

    _tell_workers(track)
    definition = load_definition(reference, overrides or ())
    for note in definition.notes:
        print(f"note: {note}", file=sys.stderr)
    machine = _machine(device, memory, parallel, threads, max_runs_per_device)
    if dry_run:
        _print_plan(definition, machine, policy, top=top, as_json=as_json)
        return
    place = find_place(reference, runs_dir)
    with _view(quiet=quiet or as_json) as view:
        chosen = Engine(engine, machine, policy, address, start, share_data, retry_failed, mps)
        result = run_definition(definition, place, engine=chosen, view=view)
    _print_ending(result, top=top, as_json=as_json)
    raise typer.Exit(result.exit_code)


def _tell_workers(track: list[str] | None) -> None:
    """Check the names of trackers and hand them to the workers started here, which inherit the environment."""
    from windtunnel.track.choice import VARIABLE, choose_trackers

    choose_trackers(track)
    if track is not None:
        os.environ[VARIABLE] = ",".join(track)


def results(
    folder: SweepDir,
    top: Annotated[int | None, typer.Option(min=1, help="Only the best N points.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print one line a run as CSV.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the learning curves of the best runs, 8 at most.")
    ] = None,
    as_json: AsJson = False,
    runs_dir: RunsDir = None,
) -> None:
    """Show a sweep's best points, their spread over seeds and which settings mattered.

    Works while the sweep runs. The value of a run is that of the weights it keeps: its last, or with early stopping
    its best. `to best` is the mean difference to the best point over the seeds both have, +- its standard deviation.

    Examples:
      windtunnel sweep results runs/quickstart/quickstart_sweep
      windtunnel sweep results quickstart_sweep --top 5
      windtunnel sweep results s2_sweep --csv > s2.csv
      windtunnel sweep results s2_sweep --top 4 --plot curves.svg
    """
    from windtunnel.sweeps.folder import find_sweep

    sweep = find_sweep(folder, runs_dir)
    if plot is not None:
        print(_draw(sweep, plot, top), file=sys.stderr)
    _print_results(sweep, top=top, as_csv=as_csv, as_json=as_json)


def test(
    folder: SweepDir,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run you chose, see `windtunnel sweep results`.")],
    as_json: AsJson = False,
    runs_dir: RunsDir = None,
) -> None:
    """Measure the run you chose on the test split, which the sweep left unread.

    Examples:
      windtunnel sweep test quickstart_sweep 0002-990752-s0
    """
    from dataclasses import asdict

    from windtunnel.cli.outcome import describe_summary
    from windtunnel.sweeps.folder import find_sweep
    from windtunnel.sweeps.winner import measure_winner

    winner = measure_winner(find_sweep(folder, runs_dir), run)
    if as_json:
        print(json.dumps(asdict(winner), indent=2))
        return
    figures = describe_summary({"status": "finished", "reason": "", "metrics": winner.metrics})
    print(f"{winner.run}, {winner.weights} weights: test {figures['test']}")
    if winner.tested_before:
        print(
            f"note: the test split has been read for {', '.join(winner.tested_before)} as well; a run chosen by these "
            "figures looks better than it is",
            file=sys.stderr,
        )


def _machine(device: str, memory: str | None, parallel: int | None, threads: int, max_runs: int | None) -> "Machine":
    from windtunnel.dispatch.devices import parse_bytes
    from windtunnel.sweeps.engines import Machine

    held = parse_bytes(memory) if memory is not None else None
    return Machine(device=device, memory=held, parallel=parallel, threads=threads, max_runs=max_runs)


def _view(*, quiet: bool) -> "AbstractContextManager[View]":
    from contextlib import nullcontext

    from rich.console import Console

    from windtunnel.dispatch.live import show_live
    from windtunnel.dispatch.snapshot import SilentView

    return nullcontext(SilentView()) if quiet else show_live(Console(stderr=True))


def _print_ending(result: "SweepResult", *, top: int, as_json: bool) -> None:
    _print_results(result.folder, top=top, as_csv=False, as_json=as_json)
    if result.shortfall:
        print(f"note: {result.shortfall}", file=sys.stderr)
    if not as_json:
        print(f"\nmore with: windtunnel sweep results {result.folder.path}")


def _print_plan(definition: "Definition", machine: "Machine", policy: str, *, top: int, as_json: bool) -> None:
    from windtunnel.cli.sweep_texts import format_plan, plan_tree
    from windtunnel.sweeps.dry_run import plan_sweep

    plan = plan_sweep(definition, machine, policy=policy)
    print(json.dumps(plan_tree(plan), indent=2) if as_json else format_plan(plan, definition.config.space, top=top))


def _print_results(folder: "SweepFolder", *, top: int | None, as_csv: bool, as_json: bool) -> None:
    from windtunnel.cli.sweep_texts import format_results, results_tree, run_rows
    from windtunnel.sweeps.importance import compute_importance
    from windtunnel.sweeps.results import read_results

    found = read_results(folder)
    if as_csv:
        print(_as_csv(run_rows(found)), end="")
        return
    importance = compute_importance(found)
    if as_json:
        print(json.dumps(results_tree(found, importance, top=top), indent=2))
        return
    print(format_results(found, importance, top=top))


def _draw(folder: "SweepFolder", path: Path, top: int | None) -> Path:
    """Draw the learning curves of the best points' runs, those that have any, and return ``path``."""
    from windtunnel.core.files import replacing
    from windtunnel.report.curves import plot_curves
    from windtunnel.report.load import load_run
    from windtunnel.sweeps.results import rank_points, read_results

    check_picture("--plot", path)
    runs = [folder.run(run.id) for point in rank_points(read_results(folder))[:top] for run in point.runs if run.epochs]
    if not runs:
        raise UsageError(f"--plot: no run of {folder.path} has finished an epoch")
    with replacing(path) as temporary:
        plot_curves([load_run(run) for run in runs[:_MOST_CURVES]]).savefig(temporary, format=path.suffix[1:], dpi=150)
    return path


def _as_csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    if rows:
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: plain_cell(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


for _verb in (run, results, test):
    app.command(_verb.__name__, help=help_text(_verb))(_verb)
