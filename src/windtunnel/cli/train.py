"""``windtunnel train``: one run, from a recipe or a YAML file to a run folder."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.options import AsJson, Overrides, Quiet, Reference, RunsDir, Track, as_options
from windtunnel.cli.processes import Processes, launch_and_exit

if TYPE_CHECKING:
    from windtunnel.config.experiment import Experiment


def train(
    reference: Reference,
    overrides: Overrides = None,
    runs_dir: RunsDir = None,
    seed: Annotated[int | None, typer.Option(help="Short for seed=N.")] = None,
    name: Annotated[str | None, typer.Option(help="Short for name=TEXT: the run folder's name.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan, train nothing.")
    ] = False,
    nproc: Processes = 1,
    track: Track = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a recipe or a YAML file.

    Writes a run folder with settings, figures, weights, a picture and an HTML page. Ctrl-C saves first.

    Examples:
      windtunnel train quickstart
      windtunnel train cifar10/airbench94 --seed 3
      windtunnel train mine.yaml optim.lr=0.05 data.batch_size=512
      windtunnel train cifar10/airbench94 --dry-run
      windtunnel train cifar10/airbench94 --nproc 2
      windtunnel train quickstart --track tensorboard --track wandb
    """
    from windtunnel.recipes import load_experiment
    from windtunnel.track.choice import choose_trackers

    choose_trackers(track)
    changes = [*(overrides or ()), *_as_overrides(seed=seed, name=name)]
    experiment = load_experiment(reference, changes)
    if nproc > 1:
        from windtunnel.training.sharing import check_processes

        check_processes(experiment, nproc)
    if dry_run:
        _print_plan(experiment, as_json=as_json)
        return
    if nproc > 1:
        words = ["train", reference, *changes, *as_options(track)]
        launch_and_exit(words, processes=nproc, runs_dir=runs_dir, as_json=as_json, quiet=quiet, go_on="last")
    from windtunnel.cli.outcome import build_trackers, print_outcome
    from windtunnel.cli.remember import remember
    from windtunnel.training.run import train as train_run
    from windtunnel.training.team import join_team

    with join_team() as team:
        trackers = build_trackers(quiet=quiet or as_json or not team.is_leader)
        result = train_run(experiment, runs_dir=runs_dir, trackers=trackers, overrides=changes, team=team, track=track)
        if team.is_leader:
            print_outcome(result, as_json=as_json)
        if team.size == 1:
            remember(experiment, result.summary)
    raise typer.Exit(result.exit_code)


def _print_plan(experiment: "Experiment", *, as_json: bool) -> None:
    from windtunnel.track.console import describe_start
    from windtunnel.training.run import plan

    info = plan(experiment)
    print(json.dumps(asdict(info), indent=2) if as_json else f"{describe_start(info)}\nnothing was trained (--dry-run)")


def _as_overrides(*, seed: int | None, name: str | None) -> list[str]:
    return [f"{field}={value}" for field, value in (("seed", seed), ("name", name)) if value is not None]
