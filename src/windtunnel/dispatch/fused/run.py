"""Training several runs as one stack, each in an ordinary run folder of its own."""

import itertools
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from windtunnel.config.experiment import Experiment
from windtunnel.core.device import AllocatorState, synchronize
from windtunnel.core.reports import EpochReport, StepDone
from windtunnel.core.rng import derive_seed, seeded
from windtunnel.core.types import Batch
from windtunnel.dispatch.fused.plan import Fusion, Refusal, fuse
from windtunnel.dispatch.fused.stack import Stack
from windtunnel.errors import UsageError
from windtunnel.report.curves import save_curves
from windtunnel.report.html import write_report
from windtunnel.track.base import Tracker
from windtunnel.track.choice import choose_trackers
from windtunnel.training.assemble import Parts, assemble, initialise_from_data
from windtunnel.training.checkpoint import save_checkpoint, save_weights
from windtunnel.training.early_stop import watch
from windtunnel.training.environment import describe_environment, process_settings
from windtunnel.training.folder import RunFolder, create_run_folder
from windtunnel.training.interruption import EXIT_CODES, Interruption, listen_for_signals
from windtunnel.training.listening import listeners_of
from windtunnel.training.loop import train_epochs
from windtunnel.training.run import RunResult, train_in
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step
from windtunnel.training.summary import summarise
from windtunnel.training.team import ALONE

_PROBE_STEPS, _PROBE_WARM_UP, _PROBE_BATCHES = 20, 3, 4


@dataclass(frozen=True)
class FusedResult:
    """How a group of runs ended.

    Args:
        runs: one a run, in the order given.
        fused: whether they were trained as one stack.
        reason: why, or why not, in words.
    """

    runs: tuple[RunResult, ...]
    fused: bool
    reason: str


@dataclass(frozen=True)
class Probe:
    """Seconds that a step of all runs takes.

    Args:
        fused_s: as one stack.
        separate_s: one after the other.
    """

    fused_s: float
    separate_s: float

    def __str__(self) -> str:
        ratio = self.separate_s / self.fused_s
        return f"a step of all runs takes {self.fused_s:.4f} s fused and {self.separate_s:.4f} s apart ({ratio:.2f}x)"


def train_fused(
    experiments: Sequence[Experiment],
    folders: Sequence[Path],
    *,
    when: Literal["faster", "possible"] = "faster",
    trackers: Sequence[Tracker] = (),
) -> FusedResult:
    """Train each experiment in its folder, all as one stack where that can be done and is faster, else one by one.

    Args:
        experiments: what to train.
        folders: run folder of each; one that holds a run already is gone on with by itself.
        when: ``faster`` measures some steps of both ways first; ``possible`` fuses whenever it can be done.
        trackers: listeners to all runs, besides their files.

    Raises:
        UsageError: an experiment cannot be run here.
    """
    if len(experiments) != len(folders):
        raise UsageError(f"{len(experiments)} experiments need as many folders, not {len(folders)}")
    plan = fuse(experiments)
    started = next((folder for folder in folders if (folder / "config.yaml").exists()), None)
    if isinstance(plan, Refusal) or started is not None:
        reason = plan.reason if isinstance(plan, Refusal) else f"{started} holds a run that was begun by itself"
        return _train_apart(experiments, folders, trackers, reason)
    try:
        probe = probe_fusion(plan, steps=_PROBE_STEPS if when == "faster" else 1)
    except RuntimeError as error:  # vmap meets randomness or values only when the network runs
        return _train_apart(experiments, folders, trackers, _first_sentence(error))
    if when == "faster" and probe.fused_s >= probe.separate_s:
        return _train_apart(experiments, folders, trackers, str(probe))
    with process_settings(plan.experiments[0].runtime) as allocator:
        return FusedResult(_train_stack(plan, folders, trackers, allocator), True, str(probe))


def probe_fusion(plan: Fusion, *, steps: int) -> Probe:
    """Time ``steps`` steps of both ways, in turn, on throw-away copies of the runs and batches made beforehand.

    Raises:
        RuntimeError: the network cannot be vectorised.
    """
    with process_settings(plan.experiments[0].runtime), seeded(derive_seed(plan.experiments[0].seed, "probe")):
        runs = [assemble(experiment) for experiment in plan.experiments]
        states = [TrainState.fresh(run.device) for run in runs]
        batches = [list(itertools.islice(run.loader.epoch(0), _PROBE_BATCHES)) for run in runs]
        columns: list[Sequence[Batch]] = list(zip(*batches, strict=True))
        stack = Stack(runs, states, one_order=plan.one_order)
        fused, separate = [], []
        warm_up = min(_PROBE_WARM_UP, steps - 1)
        for turn in range(warm_up + steps):
            column = columns[turn % len(columns)]
            fused.append(_seconds(runs[0], lambda column=column: stack.update(column)))
            separate.append(_seconds(runs[0], lambda column=column: _step_apart(runs, states, column)))
    return Probe(statistics.median(fused[warm_up:]), statistics.median(separate[warm_up:]))


def _step_apart(runs: Sequence[Parts], states: Sequence[TrainState], batches: Sequence[Batch]) -> None:
    for run, state, batch in zip(runs, states, batches, strict=True):
        train_step(run, state, batch)


def _seconds(run: Parts, work: Any) -> float:
    synchronize(run.device)
    start = time.perf_counter()
    work()
    synchronize(run.device)
    return time.perf_counter() - start


def _first_sentence(error: RuntimeError) -> str:
    return f"the network cannot be stacked: {str(error).strip().splitlines()[0]}"


def _train_apart(
    experiments: Sequence[Experiment], folders: Sequence[Path], trackers: Sequence[Tracker], reason: str
) -> FusedResult:
    results = []
    for experiment, folder in zip(experiments, folders, strict=True):
        results.append(train_in(folder, experiment, trackers=trackers))
        if results[-1].status == "interrupted":
            break
    return FusedResult(tuple(results), False, reason)


@dataclass
class _Run:
    """One run of a stack and where it stands."""

    parts: Parts
    state: TrainState
    folder: RunFolder
    listeners: tuple[Tracker, ...]
    ending: tuple[str, str, int] | None = None
    batch: list[Batch] = field(default_factory=list)
    result: RunResult | None = None

    def events(self) -> Iterator[StepDone | EpochReport]:
        """Return the run's own loop; the device's part of a step only hands its batch over."""
        return train_epochs(self.parts, self.state, self._take)

    def _take(self, batch: Batch) -> None:
        self.batch[:] = [batch]

    def tell(self, event: StepDone | EpochReport) -> None:
        """Pass an event on to the listeners, unless the run has ended."""
        for listener in self.listeners if self.ending is None else ():
            if isinstance(event, StepDone):
                listener.step(event)
            else:
                listener.epoch(event)

    def settle(self, report: EpochReport) -> None:
        """Do what is due at an epoch's end: notice divergence, keep the best weights, save."""
        if self.ending is not None:
            return
        if not math.isfinite(self.state.loss_sum):
            self.ending = ("diverged", f"the training loss is not finite by step {self.state.step}", 1)
            if not (self.folder.checkpoints / "state.pt").exists():
                self.save()
            self.finish()
            return
        if watch(None, self.state, report):
            save_weights(self.folder.checkpoints / "best.safetensors", self.parts.model)
        if self.parts.experiment.train.checkpoint_every > 0 or self.is_at_end():
            self.save()

    def is_at_end(self) -> bool:
        """Say whether every step is done."""
        return self.state.step >= self.parts.total_steps

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(self.folder.checkpoints, self.parts, self.state)

    def finish(self) -> RunResult:
        """Evaluate the run and write how it ended, once."""
        if self.result is None:
            status, reason, exit_code = self.ending or ("finished", "all epochs trained", 0)
            summary = summarise(self.parts, self.state, self.folder, status=status, reason=reason)
            summary["exit_code"] = exit_code
            self.folder.write_summary(summary)
            for listener in self.listeners:
                listener.finish(summary)
            save_curves(self.folder.path)
            write_report(self.folder.path)
            self.result = RunResult(self.folder.path, summary)
        return self.result


def _train_stack(
    plan: Fusion, folders: Sequence[Path], trackers: Sequence[Tracker], allocator: AllocatorState
) -> tuple[RunResult, ...]:
    with ExitStack() as held:
        tracking = choose_trackers()
        assembled = [assemble(experiment) for experiment in plan.experiments]  # all, before the first folder exists
        runs = []
        for parts, path in zip(assembled, folders, strict=True):
            folder = _create(parts, path, allocator)
            held.enter_context(folder.hold())
            listeners = held.enter_context(listeners_of(path, trackers, tracking, ALONE))
            runs.append(_Run(parts, TrainState.fresh(parts.device), folder, listeners))
        held.enter_context(seeded(derive_seed(plan.experiments[0].seed, "train")))
        interruption = held.enter_context(listen_for_signals())
        stack = Stack([run.parts for run in runs], [run.state for run in runs], one_order=plan.one_order)
        for run in runs:
            for listener in run.listeners:
                listener.start(run.parts.info(str(run.folder.path), 0))
        _train_together(runs, stack, interruption)
        return tuple(run.finish() for run in runs)


def _create(parts: Parts, path: Path, allocator: AllocatorState) -> RunFolder:
    environment = {**describe_environment(parts, allocator), "fused": True}
    folder = create_run_folder(parts.experiment, path, environment=environment, overrides=())
    initialise_from_data(parts)
    return folder


def _train_together(runs: Sequence[_Run], stack: Stack, interruption: Interruption) -> None:
    """Advance every run's own loop in step; the last to hand its batch over sets off the update of all."""
    for events in zip(*(run.events() for run in runs), strict=True):
        first = events[0]
        if isinstance(first, StepDone):
            stack.update([run.batch[0] for run in runs])
            ends_epoch = first.step % runs[0].parts.steps_per_epoch == 0 or runs[0].is_at_end()
            if ends_epoch:
                stack.unstack()  # for the validation and the checkpoint that come next
        for run, event in zip(runs, events, strict=True):
            run.tell(event)
            if isinstance(event, EpochReport):
                run.settle(event)
        if all(run.ending for run in runs):
            return
        at_epoch_end = isinstance(first, EpochReport)
        if interruption.signal is not None and (at_epoch_end or not ends_epoch) and not runs[0].is_at_end():
            stack.unstack()
            _interrupt(runs, interruption)
            return


def _interrupt(runs: Sequence[_Run], interruption: Interruption) -> None:
    assert interruption.signal is not None
    for run in runs:
        if run.ending is None:
            run.save()
            run.ending = ("interrupted", interruption.signal.name, EXIT_CODES[interruption.signal])
