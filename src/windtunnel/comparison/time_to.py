"""How long an experiment trains until it reaches an accuracy."""

import hashlib
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from windtunnel.comparison.launch import launch
from windtunnel.comparison.run import PROJECT
from windtunnel.comparison.statistics import Summary, summarise
from windtunnel.comparison.time_to_trial import Part
from windtunnel.comparison.trials import hold_comparison
from windtunnel.config.data import OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.core.files import write_json, write_text
from windtunnel.errors import RunError, UsageError
from windtunnel.training.folder import default_runs_dir
from windtunnel.training.interruption import Interruption, listen_for_signals

_HELD_OUT = 0.1


@dataclass(frozen=True)
class Attempt:
    """One trial.

    Args:
        seed: its seed.
        reached: whether it reached the target.
        seconds: prepare and train, until the epoch that reached it, or the last.
        epochs: likewise.
        accuracy: after that epoch, 0..1.
        best: best after any epoch, 0..1.
    """

    seed: int
    reached: bool
    seconds: float
    epochs: float
    accuracy: float
    best: float


@dataclass(frozen=True)
class TimeTo:
    """What all trials took.

    Args:
        folder: its folder, with ``time_to.json``.
        target: the accuracy, 0..1.
        on: the images it was measured on, after each epoch.
        attempts: the trials.
        seconds: of those that reached it; None when none did.
        median: likewise.
        epochs: mean of those that reached it.
    """

    folder: Path
    target: float
    on: Part
    attempts: tuple[Attempt, ...]
    seconds: Summary | None
    median: float | None
    epochs: float | None

    @property
    def reached(self) -> int:
        """How many trials reached the target."""
        return sum(attempt.reached for attempt in self.attempts)


def hold_out(experiment: Experiment) -> Experiment:
    """Return the experiment with images held out for looking at the accuracy: its own, or a tenth of the training ones.

    Raises:
        UsageError: its split has none and is not the official one.
    """
    split = experiment.data.split
    if split.model_dump().get("validation", 0) > 0:
        return experiment
    if not isinstance(split, OfficialSplit):
        raise UsageError(f"data.split {split.name} holds no images out: set data.split.validation, or use --on test")
    data = experiment.data.model_copy(update={"split": split.model_copy(update={"validation": _HELD_OUT})})
    return experiment.model_copy(update={"data": data})


def measure_time_to(
    experiment: Experiment,
    target: float,
    *,
    on: Part,
    trials: int,
    first_seed: int = 0,
    warm_up: bool = True,
    runs_dir: Path | None = None,
    tell: Callable[[Attempt], None] = lambda attempt: None,
) -> TimeTo:
    """Train with one seed after the other, each in a process of its own, until each has reached ``target`` or ended.

    Called again, it goes on after the trials that have ended.

    Args:
        experiment: what is trained; it ends at its own last epoch at the latest.
        target: accuracy, 0..1, with the experiment's test-time augmentation.
        on: ``validation``, or ``test``, which then chooses when to stop.
        trials: seeds.
        first_seed: the first of them.
        warm_up: spend a few updates before the clock starts.
        runs_dir: where runs lie; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
        tell: called with each trial as it ends.

    Raises:
        RunError: a trial failed, or Ctrl-C or SIGTERM asked to stop; trials that ended are kept.
        UsageError: no trials, or a target that is no accuracy.
    """
    if trials < 1 or not 0 < target <= 1:
        raise UsageError(f"{trials} trials to an accuracy of {target:g}: use at least 1 trial and a target in 0..1")
    experiment = _bare(hold_out(experiment) if on == "validation" else experiment)
    order = {"target": target, "on": on, "warm_up": warm_up}
    key = hashlib.sha256((dump_yaml(experiment) + json.dumps(order)).encode()).hexdigest()[:8]
    folder = (runs_dir or default_runs_dir()) / PROJECT / f"time-to-{key}"
    with hold_comparison(folder), listen_for_signals() as interruption:
        attempts = []
        for seed in range(first_seed, first_seed + trials):
            attempts.append(_attempt(experiment, order, folder, seed, interruption))
            tell(attempts[-1])
        found = _summarise(folder, target, on, attempts)
        write_json(folder / "time_to.json", {**asdict(found), "folder": str(folder), "reached": found.reached})
    return found


def _bare(experiment: Experiment) -> Experiment:
    """Leave out what would end the training before the target; seeds are set by the trials."""
    train = experiment.train.model_copy(update={"target": None})
    return experiment.model_copy(update={"train": train, "seed": 0})


def _attempt(
    experiment: Experiment, order: dict[str, Any], folder: Path, seed: int, interruption: Interruption
) -> Attempt:
    place = folder / "trials"
    place.mkdir(parents=True, exist_ok=True)
    config, ordered, log, result = (
        place / f"{seed:04d}{end}" for end in (".yaml", ".order.json", ".log", ".result.json")
    )
    if not result.exists():
        write_text(config, dump_yaml(experiment.model_copy(update={"seed": seed})))
        write_json(ordered, {**order, "experiment": str(config), "result": str(result)})
        if launch("windtunnel.comparison.time_to_trial", ordered, log, interruption) != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = lines[-1] if lines else "it said nothing"
            raise RunError(f"the trial of seed {seed} failed: {said}; its log is {log}; finished trials are kept")
    found = json.loads(result.read_text(encoding="utf-8"))
    kept = ("reached", "seconds", "epochs", "accuracy", "best")
    return Attempt(seed=seed, **{name: found[name] for name in kept})


def _summarise(folder: Path, target: float, on: Part, attempts: list[Attempt]) -> TimeTo:
    times = [attempt.seconds for attempt in attempts if attempt.reached]
    epochs = [attempt.epochs for attempt in attempts if attempt.reached]
    if not times:
        return TimeTo(folder, target, on, tuple(attempts), None, None, None)
    return TimeTo(
        folder, target, on, tuple(attempts), summarise(times), statistics.median(times), statistics.fmean(epochs)
    )
