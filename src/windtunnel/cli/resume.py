"""``windtunnel resume``: an interrupted run, from its last checkpoint to its end."""

import typer

from windtunnel.cli.options import AsJson, Quiet, RunReference, RunsDir, Track, as_options
from windtunnel.cli.processes import Processes, launch_and_exit


def resume(
    run: RunReference,
    runs_dir: RunsDir = None,
    nproc: Processes = 1,
    track: Track = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Continue a run that was interrupted or killed.

    Goes on from the last checkpoint in the run's folder and ends with what an undisturbed run would have ended with.
    A finished run is left as it is.

    Examples:
      windtunnel resume last
      windtunnel resume runs/default/20261122-101500-quickstart-1f3a
    """
    if nproc > 1:
        from windtunnel.track.choice import choose_trackers
        from windtunnel.training.folder import open_run
        from windtunnel.training.sharing import check_processes

        folder = open_run(run, runs_dir)
        choose_trackers(track, folder.path)
        check_processes(folder.read_experiment(), nproc)
        words = ["resume", run, *as_options(track)]
        launch_and_exit(words, processes=nproc, runs_dir=runs_dir, as_json=as_json, quiet=quiet, go_on=run)
    from windtunnel.cli.outcome import build_trackers, print_outcome
    from windtunnel.training.run import resume as resume_run
    from windtunnel.training.team import join_team

    with join_team() as team:
        trackers = build_trackers(quiet=quiet or as_json or not team.is_leader)
        result = resume_run(run, runs_dir=runs_dir, trackers=trackers, team=team, track=track)
        if team.is_leader:
            print_outcome(result, as_json=as_json)
    raise typer.Exit(result.exit_code)
