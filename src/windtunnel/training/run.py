"""A whole run: folder, training, checkpoints, signals, evaluation, summary.

>>> import windtunnel  # doctest: +SKIP
>>> result = windtunnel.train(windtunnel.load_recipe("quickstart"))  # doctest: +SKIP
>>> result.summary["metrics"]["test_accuracy"]  # doctest: +SKIP
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from signal import Signals
from typing import Any

import torch

from windtunnel.config.experiment import Experiment
from windtunnel.core.clock import Stopwatch
from windtunnel.core.files import find_remedy, remove_leftovers
from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.core.rng import derive_seed, seeded
from windtunnel.errors import RunError, UsageError
from windtunnel.optim.plateau import Plateau
from windtunnel.report.curves import save_curves
from windtunnel.report.html import write_report
from windtunnel.track.base import Tracker
from windtunnel.track.choice import Tracking, choose_trackers
from windtunnel.training.assemble import Parts, assemble, initialise_from_data
from windtunnel.training.checkpoint import load_checkpoint, save_checkpoint, save_weights
from windtunnel.training.early_stop import is_exhausted, is_reached, watch
from windtunnel.training.environment import describe_environment, process_settings
from windtunnel.training.folder import RunFolder, create_run_folder, new_run_path, open_run
from windtunnel.training.interruption import EXIT_CODES, Interruption, listen_for_signals
from windtunnel.training.listening import listeners_of
from windtunnel.training.loop import is_time_up, train_epochs
from windtunnel.training.network import without_origin
from windtunnel.training.same_data import check_same_data
from windtunnel.training.state import TrainState
from windtunnel.training.summary import summarise
from windtunnel.training.team import ALONE, Team
from windtunnel.training.weights import judged_weights

_PREDECESSOR_S = 60.0


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Args:
        folder: the run folder.
        summary: what ``summary.json`` holds: ``status`` (finished, diverged, interrupted), ``reason``,
            ``metrics``, ``seconds`` and what the run was.
    """

    folder: Path
    summary: dict[str, Any]

    @property
    def status(self) -> str:
        """``finished``, ``diverged`` or ``interrupted``."""
        return str(self.summary["status"])

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, 1 for a diverged run, 130 or 143 for an interrupted one."""
        return int(self.summary["exit_code"])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from windtunnel.report.notebook import show_run

        return show_run(self.folder)


@dataclass(frozen=True)
class _Ending:
    status: str
    reason: str
    exit_code: int


def plan(experiment: Experiment) -> RunInfo:
    """Build everything the run needs, train nothing, write nothing, and return what would run."""
    with process_settings(experiment.runtime):
        return assemble(experiment).info(folder="", start_step=0)


def train(
    experiment: Experiment,
    *,
    runs_dir: Path | None = None,
    trackers: Sequence[Tracker] = (),
    overrides: Sequence[str] = (),
    team: Team = ALONE,
    track: Sequence[str] | None = None,
) -> RunResult:
    """Train ``experiment`` in a new run folder and evaluate it.

    Args:
        experiment: what to train.
        runs_dir: parent of the project's folder; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
        trackers: listeners besides the run's own files.
        overrides: command-line overrides already applied, for the record.
        team: the processes that train it together, each calling this; the leader alone writes and tells trackers.
        track: other trackers by name, e.g. ``["tensorboard", "wandb"]``; None takes those of ``$WINDTUNNEL_TRACK``.

    Raises:
        UsageError: the experiment cannot be run here; nothing was written.
        RunError: the run started and could not go on; its folder is kept and can be resumed.
    """
    tracking = choose_trackers(track)
    return _train_new(experiment, new_run_path(experiment, runs_dir), trackers, tracking, overrides, team)


def train_in(path: Path, experiment: Experiment, *, trackers: Sequence[Tracker] = ()) -> RunResult:
    """Train ``experiment`` in exactly the folder ``path``, or go on with what a killed process left there.

    A process that works there still, one that has been told to stop, gets a minute to save and go.

    Raises:
        UsageError: the experiment cannot be run here, or the folder holds another one.
    """
    RunFolder(path).wait_until_free(_PREDECESSOR_S)
    if not (path / "config.yaml").exists():
        return _train_new(experiment, path, trackers, choose_trackers(), (), ALONE)
    if open_run(path).read_experiment() != experiment:
        raise UsageError(f"{path} holds a run with other settings; give this one a folder of its own")
    return resume(path, trackers=trackers)


def resume(
    run: Path | str,
    *,
    runs_dir: Path | None = None,
    trackers: Sequence[Tracker] = (),
    team: Team = ALONE,
    track: Sequence[str] | None = None,
) -> RunResult:
    """Go on with a run that was interrupted or killed, from its last checkpoint; a run that ended is left alone.

    On CPU, with the same number of threads, the weights end bit-identical to those of an undisturbed run.

    Args:
        run: run folder, its name, or ``last``.
        runs_dir: where to look a name up.
        trackers: listeners besides the run's own files.
        team: the processes that go on with it together; they need not be as many as before.
        track: other trackers by name; None takes those of ``$WINDTUNNEL_TRACK``, else those the run has had.
    """
    with team.leader_first():
        folder = open_run(run, runs_dir)
        tracking = choose_trackers(track, folder.path)
    with _held(folder, team):
        summary = team.agree(folder.read_summary())
        if summary is not None and summary["status"] in ("finished", "diverged"):
            for tracker in trackers if team.is_leader else ():
                tracker.message(f"{folder.path} has already {summary['status']}; nothing to resume")
            if team.is_leader and not (folder.path / "report.html").exists():  # killed between the summary and the page
                _draw(folder)
            return RunResult(folder.path, summary)
        experiment = folder.read_experiment()
        with process_settings(experiment.runtime):
            parts, state = _assemble_timed(without_origin(experiment) if folder.has_checkpoint else experiment, team)
            parts = replace(parts, experiment=experiment)
            check_same_data(folder.path, parts.data)
            if team.is_leader:
                (folder.path / "summary.json").unlink(missing_ok=True)
            return _drive(parts, state, folder, trackers, tracking)


def _train_new(
    experiment: Experiment,
    path: Path,
    trackers: Sequence[Tracker],
    tracking: Tracking,
    overrides: Sequence[str],
    team: Team,
) -> RunResult:
    with process_settings(experiment.runtime) as allocator:
        parts, state = _assemble_timed(experiment, team)
        folder = RunFolder(team.agree(path))
        with _held(folder, team):  # first, so that of two that hit upon one name the second is turned away
            if team.is_leader:
                environment = describe_environment(parts, allocator)
                create_run_folder(experiment, folder.path, environment=environment, overrides=overrides)
            return _drive(parts, state, folder, trackers, tracking)


def _held(folder: RunFolder, team: Team) -> AbstractContextManager[None]:
    """Keep others from training this run; the leader does so for its whole team."""
    return folder.hold() if team.is_leader else nullcontext()


def _assemble_timed(experiment: Experiment, team: Team) -> tuple[Parts, TrainState]:
    device = team.resolve_device(experiment.runtime.device)
    state = TrainState.fresh(device)
    with Stopwatch(device, state.seconds).measure("build"), team.leader_first():
        return assemble(experiment, team=team), state


def _drive(
    parts: Parts, state: TrainState, folder: RunFolder, trackers: Sequence[Tracker], tracking: Tracking
) -> RunResult:
    """Train from the last checkpoint, or the start, to the end, and write down how it went."""
    key = derive_seed(parts.experiment.seed, "train", *parts.team.stream)
    hearing = listeners_of(folder.path, trackers, tracking, parts.team)
    with _naming_the_folder(folder), seeded(key), listen_for_signals() as interruption, hearing as listeners:
        _start(parts, state, folder)
        info = parts.info(str(folder.path), state.step)
        for listener in listeners:
            listener.start(info)
        ending = _train(parts, state, folder, listeners, interruption)
        if not parts.team.is_leader:
            return RunResult(folder.path, {"status": ending.status, "exit_code": 0})
        summary = summarise(parts, state, folder, status=ending.status, reason=ending.reason)
        summary["exit_code"] = ending.exit_code
        folder.write_summary(summary)
        for listener in listeners:
            listener.finish(summary)
        _draw(folder)
    return RunResult(folder.path, summary)


def _draw(folder: RunFolder) -> None:
    save_curves(folder.path)
    write_report(folder.path)


def _start(parts: Parts, state: TrainState, folder: RunFolder) -> None:
    if parts.team.is_leader:
        remove_leftovers(folder.checkpoints)
    if folder.has_checkpoint:
        load_checkpoint(folder.checkpoints, parts, state)
        return
    with Stopwatch(parts.device, state.seconds).measure("prepare"):
        initialise_from_data(parts)
        parts.team.align(parts.model)


def _train(
    parts: Parts, state: TrainState, folder: RunFolder, listeners: Sequence[Tracker], interruption: Interruption
) -> _Ending:
    if ending := _stop_early(parts, state):  # killed between the last save and the summary
        return ending
    for event in train_epochs(parts, state):
        for listener in listeners:
            _tell(listener, event)
        if _is_settled(parts, event) and (ending := _settle(parts, state, folder, event, interruption)):
            return ending
    return _Ending("finished", "all epochs trained", 0)


def _tell(listener: Tracker, event: StepDone | EpochReport) -> None:
    if isinstance(event, StepDone):
        listener.step(event)
    else:
        listener.epoch(event)


def _is_settled(parts: Parts, event: StepDone | EpochReport) -> bool:
    """Say whether a checkpoint may be taken here: not between an epoch's last step and its report."""
    if isinstance(event, EpochReport):
        return True
    return event.step % parts.steps_per_epoch != 0 and event.step != parts.total_steps


def _settle(
    parts: Parts, state: TrainState, folder: RunFolder, event: StepDone | EpochReport, interruption: Interruption
) -> _Ending | None:
    """Save what is due and return how the run ends here, or None when it goes on."""
    asked = parts.team.agree_number(interruption.signal or 0)
    at_epoch_end = isinstance(event, EpochReport)
    due = _is_checkpoint_due(parts, state)
    if (at_epoch_end or due) and not math.isfinite(state.loss_sum):
        return _diverge(parts, state, folder)
    rule = parts.experiment.train.early_stopping
    if isinstance(event, EpochReport):
        state.target_reached = is_reached(parts.experiment.train.target, event)
        if watch(rule, state, event):
            _save_best(parts, folder)
    ending = _stop_early(parts, state) if at_epoch_end else None
    if due or ending or asked:
        save_checkpoint(folder.checkpoints, parts, state)
    if ending is None and asked:
        return _Ending("interrupted", Signals(asked).name, EXIT_CODES[Signals(asked)])
    return ending


def _save_best(parts: Parts, folder: RunFolder) -> None:
    """Keep the weights whose metric was watched."""
    if not parts.team.is_leader:
        return
    rule = parts.experiment.train.early_stopping
    averaged = parts.ema is not None and rule is not None and rule.metric.endswith("_ema")
    with parts.ema.swapped_in() if parts.ema and averaged else judged_weights(parts):
        save_weights(folder.checkpoints / "best.safetensors", parts.model)


def _stop_early(parts: Parts, state: TrainState) -> _Ending | None:
    train = parts.experiment.train
    if train.target is not None and state.target_reached:
        return _Ending("finished", f"{train.target.metric} reached {train.target.value:g}", 0)
    if (rule := train.early_stopping) is not None and is_exhausted(rule, state):
        return _Ending("finished", f"early stopping: {rule.metric} stale for {rule.patience} validations", 0)
    peak_lr = parts.optimizer.param_groups[-1]["peak_lr"]
    if isinstance(parts.schedule, Plateau) and parts.schedule.is_over(peak_lr):
        return _Ending("finished", "the learning rate fell below schedule.stop_below_lr", 0)
    if state.step < parts.total_steps and is_time_up(parts, state):
        return _Ending("finished", f"train.max_minutes={train.max_minutes:g} are over", 0)
    return None


def _is_checkpoint_due(parts: Parts, state: TrainState) -> bool:
    every = parts.experiment.train.checkpoint_every
    if state.step == parts.total_steps:
        return True
    return every > 0 and state.step % max(round(every * parts.steps_per_epoch), 1) == 0


def _diverge(parts: Parts, state: TrainState, folder: RunFolder) -> _Ending:
    """Keep the last finite checkpoint; without one, keep the weights as they are for a look."""
    if not parts.team.agree_number(folder.has_checkpoint):
        save_checkpoint(folder.checkpoints, parts, state)
    return _Ending("diverged", f"the training loss is not finite by step {state.step}", 1)


@contextmanager
def _naming_the_folder(folder: RunFolder) -> Iterator[None]:
    """Turn a failed write, or memory that ran out, into an error that says what is left and how to go on."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        said = str(error).partition(". ")[0] or "out of memory"
        raise RunError(
            f"the run stopped: {said}. What it saved is intact: free memory and go on with `windtunnel resume "
            f"{folder.path}`, or train anew with a lower data.batch_size or evaluate.batch_size, with "
            "train.accumulate=2 (the same update in two parts), or with runtime.precision=bfloat16"
        ) from error
    except OSError as error:
        remedy = f" ({found})" if (found := find_remedy(error)) else ""
        raise RunError(
            f"the run stopped: {error}{remedy}. Its last checkpoint is intact; mend the cause and go on with "
            f"`windtunnel resume {folder.path}`"
        ) from error
