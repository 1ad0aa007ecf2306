"""``windtunnel resume``: an interrupted run, from its last checkpoint to its end."""

import typer

from windtunnel.cli.options import AsJson, Quiet, RunReference, RunsDir


def resume(run: RunReference, runs_dir: RunsDir = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Continue a run that was interrupted or killed.

    Goes on from the last checkpoint in the run's folder and ends with what an undisturbed run would have ended with.
    A finished run is left as it is.

    Examples:
      windtunnel resume last
      windtunnel resume runs/default/20261122-101500-quickstart-1f3a
    """
    from windtunnel.cli.outcome import build_trackers, print_outcome
    from windtunnel.training.run import resume as resume_run

    result = resume_run(run, runs_dir=runs_dir, trackers=build_trackers(quiet=quiet or as_json))
    print_outcome(result, as_json=as_json)
    raise typer.Exit(result.exit_code)
