"""How long experiments train until they reach an accuracy, in turn and with paired seeds."""

import hashlib
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from windtunnel.comparison.contest import Contestant, check_different, check_same_data, name_contestants
from windtunnel.comparison.launch import launch
from windtunnel.comparison.provenance import describe_making
from windtunnel.comparison.run import PROJECT
from windtunnel.comparison.statistics import Summary, summarise
from windtunnel.comparison.time_to_trial import Goal
from windtunnel.comparison.trials import check_machine, hold_comparison
from windtunnel.config.data import OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.core.files import write_json, write_text
from windtunnel.errors import RunError, UsageError
from windtunnel.training.folder import default_runs_dir
from windtunnel.training.interruption import Interruption, listen_for_signals

_HELD_OUT = 0.1
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Attempt:
    """One trial.

    Args:
        letter: whose.
        seed: its seed.
        reached: whether it reached the target.
        seconds: prepare and train, until the look that found the target reached, or the last.
        epochs: likewise.
        accuracy: at that look, 0..1.
        best: best of any look, 0..1.
        flops: of training until that look.
        load: processes that wanted a core in the minute before it.
        machine: what it ran on.
    """

    letter: str
    seed: int
    reached: bool
    seconds: float
    epochs: float
    accuracy: float
    best: float
    flops: float
    load: float
    machine: dict[str, Any]


@dataclass(frozen=True)
class Finish:
    """What the trials of one design took; figures are of those that reached the target, None when none did.

    Args:
        letter: whose.
        name: what the user called it.
        attempts: its trials.
        seconds: prepare and train.
        median: likewise.
        epochs: mean.
        flops: mean, of training.
    """

    letter: str
    name: str
    attempts: tuple[Attempt, ...]
    seconds: Summary | None
    median: float | None
    epochs: float | None
    flops: float | None

    @property
    def reached(self) -> int:
        """How many trials reached the target."""
        return sum(attempt.reached for attempt in self.attempts)


@dataclass(frozen=True)
class Ratio:
    """One design's time over the first one's: geometric mean over the seeds with which both reached the target.

    Args:
        letter: the design's.
        pairs: such seeds.
        ratio: below 1 is faster.
        low: lower end of the 95% t-interval of the logarithms; None with fewer than two pairs.
        high: upper end.
    """

    letter: str
    pairs: int
    ratio: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TimeTo:
    """What all trials took.

    Args:
        folder: its folder, with ``time_to.json``.
        goal: the accuracy, where it was measured and how often.
        finishes: a row a design.
        ratios: a row a design but the first, where there are pairs.
    """

    folder: Path
    goal: Goal
    finishes: tuple[Finish, ...]
    ratios: tuple[Ratio, ...]

    @property
    def all_reached(self) -> bool:
        """Whether every design reached the target at least once."""
        return all(finish.reached for finish in self.finishes)


def hold_out(experiment: Experiment) -> Experiment:
    """Return the experiment with images held out for looking at the accuracy: its own, or a tenth of the training ones.

    Raises:
        UsageError: its split has none and is not the official one.
    """
    split = experiment.data.split
    if experiment.data.cuts_validation:
        return experiment
    if not isinstance(split, OfficialSplit):
        raise UsageError(f"data.split {split.name} holds no images out: set data.split.validation, or use --on test")
    data = experiment.data.model_copy(update={"split": split.model_copy(update={"validation": _HELD_OUT})})
    return experiment.model_copy(update={"data": data})


def measure_time_to(
    designs: Sequence[tuple[str, Experiment]],
    goal: Goal,
    *,
    trials: int,
    first_seed: int = 0,
    warm_up: bool = True,
    runs_dir: Path | None = None,
    tell: Callable[[Attempt], None] = lambda attempt: None,
) -> TimeTo:
    """Train designs in turn (ABBA), each trial in a process of its own, until each has reached the goal or ended.

    Called again, it goes on after the trials that have ended.

    Args:
        designs: name and experiment of each; an experiment ends at its own last epoch at the latest.
        goal: the accuracy, where it is measured and how often.
        trials: seeds.
        first_seed: the first of them.
        warm_up: spend a few updates before the clock starts.
        runs_dir: where runs lie; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
        tell: called with each trial as it ends.

    Raises:
        RunError: a trial failed, or Ctrl-C or SIGTERM asked to stop; trials that ended are kept.
        UsageError: no trials, designs on different data, or trials of another machine.
    """
    if trials < 1 or not designs:
        raise UsageError(f"{trials} trials of {len(designs)} designs: use at least 1 of each")
    contestants = name_contestants([(name, _bare(one, goal)) for name, one in designs])
    check_different(contestants)
    check_same_data(contestants)
    order = {"goal": asdict(goal), "warm_up": warm_up}
    text = "\n".join(dump_yaml(one.experiment) for one in contestants) + json.dumps(order)
    folder = (runs_dir or default_runs_dir()) / PROJECT / f"time-to-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    attempts: list[Attempt] = []
    with hold_comparison(folder), listen_for_signals() as interruption:
        for position in range(trials):
            for one in contestants if position % 2 == 0 else contestants[::-1]:
                attempts.append(_attempt(one, order, folder, first_seed + position, interruption))
                first = attempts[0]
                names = tuple(f"{each.letter} of seed {each.seed}" for each in (first, attempts[-1]))
                check_machine((names[0], first.machine), (names[1], attempts[-1].machine))
                tell(attempts[-1])
                found = _summarise(folder, goal, contestants, attempts)
                write_json(folder / "time_to.json", _as_json(found, trials))  # after each, for whoever watches
    return found


def _as_json(found: TimeTo, trials: int) -> dict[str, Any]:
    making = describe_making(found.finishes[0].attempts[0].machine)
    return {**making, "trials": trials, **asdict(found), "folder": str(found.folder)}


def _bare(experiment: Experiment, goal: Goal) -> Experiment:
    """Leave out what would end the training before the target; seeds are set by the trials."""
    held = hold_out(experiment) if goal.on == "validation" else experiment
    return held.model_copy(update={"train": held.train.model_copy(update={"target": None}), "seed": 0})


def _attempt(one: Contestant, order: dict[str, Any], folder: Path, seed: int, interruption: Interruption) -> Attempt:
    place = folder / "trials"
    place.mkdir(parents=True, exist_ok=True)
    name = f"{seed:04d}-{one.letter}"
    config, ordered, log, result = (place / f"{name}{end}" for end in (".yaml", ".order.json", ".log", ".result.json"))
    if not result.exists():
        write_text(config, dump_yaml(one.of_seed(seed)))
        write_json(ordered, {**order, "experiment": str(config), "result": str(result)})
        if launch("windtunnel.comparison.time_to_trial", ordered, log, interruption) != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = lines[-1] if lines else "it said nothing"
            raise RunError(f"the trial {name} failed: {said}; its log is {log}; finished trials are kept")
    found = json.loads(result.read_text(encoding="utf-8"))
    kept = ("reached", "seconds", "epochs", "accuracy", "best", "flops", "machine")
    return Attempt(one.letter, seed, load=found["before"]["load"], **{field: found[field] for field in kept})


def _summarise(folder: Path, goal: Goal, contestants: Sequence[Contestant], attempts: Sequence[Attempt]) -> TimeTo:
    finishes = tuple(
        _finish(one, [attempt for attempt in attempts if attempt.letter == one.letter]) for one in contestants
    )
    ratios = (_compare(finishes[0], finish) for finish in finishes[1:])
    return TimeTo(folder, goal, finishes, tuple(ratio for ratio in ratios if ratio is not None))


def _finish(one: Contestant, attempts: Sequence[Attempt]) -> Finish:
    there = [attempt for attempt in attempts if attempt.reached]
    if not there:
        return Finish(one.letter, one.name, tuple(attempts), None, None, None, None)
    times = [attempt.seconds for attempt in there]
    return Finish(
        one.letter,
        one.name,
        tuple(attempts),
        summarise(times),
        statistics.median(times),
        statistics.fmean(attempt.epochs for attempt in there),
        statistics.fmean(attempt.flops for attempt in there),
    )


def _compare(base: Finish, finish: Finish) -> Ratio | None:
    times = {attempt.seed: attempt.seconds for attempt in base.attempts if attempt.reached}
    logs = [
        math.log(attempt.seconds / times[attempt.seed])
        for attempt in finish.attempts
        if attempt.reached and attempt.seed in times
    ]
    if not logs:
        return None
    mean, low, high = statistics.fmean(logs), None, None
    if len(logs) > 1:
        half = float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(logs) - 1)) * statistics.stdev(logs) / math.sqrt(len(logs))
        low, high = math.exp(mean - half), math.exp(mean + half)
    return Ratio(finish.letter, len(logs), math.exp(mean), low, high)
