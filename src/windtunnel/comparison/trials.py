"""Running the trials of a contest, in turn, each once; whatever is killed, the same command goes on."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.comparison.contest import Contest, Contestant
from windtunnel.comparison.launch import launch
from windtunnel.comparison.sequential import Sequential, judge
from windtunnel.config.files import dump_yaml
from windtunnel.core.files import write_json, write_text
from windtunnel.errors import RunError, UsageError
from windtunnel.training.folder import RunFolder
from windtunnel.training.interruption import Interruption, listen_for_signals


@dataclass(frozen=True)
class Trial:
    """One finished trial.

    Args:
        letter: whose.
        seed: its seed.
        folder: its run folder.
        accuracy: the contest's metric, 0..1; 0 for a trial that diverged.
        seconds: wall clock of ``build``, ``prepare``, ``train``, ``validate``, ``evaluate``, ``cold_start``.
        diverged: whether it did; it counts all the same.
        resumed: whether it was killed on the way, which its times feel.
        machine: what it ran on.
        load: processes that wanted a core in the minute before it, its own predecessor's among them.
        flops: of its training, counted; None for a trial of a version that did not count.
    """

    letter: str
    seed: int
    folder: Path
    accuracy: float
    seconds: dict[str, float]
    diverged: bool
    resumed: bool
    machine: dict[str, Any]
    load: float = 0.0
    flops: float | None = None

    @property
    def prepare_and_train(self) -> float:
        """The time compared: seconds from images in memory to trained weights."""
        return self.seconds.get("prepare", 0.0) + self.seconds.get("train", 0.0)


@dataclass(frozen=True)
class Question:
    """Where the two questions about one design against the baseline stand.

    Args:
        accuracy: difference of accuracies.
        time: difference of the logarithms of the times.
    """

    accuracy: Sequential
    time: Sequential

    @property
    def is_settled(self) -> bool:
        """Say whether both have an answer."""
        return "open" not in (self.accuracy.decision, self.time.decision)


def run_trials(contest: Contest, folder: Path, tell: Callable[[Trial, int], None]) -> list[list[Trial]]:
    """Run what is missing and return the trials, one list a seed, each in the contestants' order.

    Args:
        contest: who and how.
        folder: the comparison's folder; trials that have ended there are not run again.
        tell: called with each trial and its seed's position as it ends, or is found ended.

    Raises:
        RunError: a trial's process failed, or Ctrl-C or SIGTERM asked to stop.
        UsageError: trials there are from another machine or other versions.
    """
    pairs: list[list[Trial]] = []
    with listen_for_signals() as interruption:
        for position in range(contest.rules.trials):
            pairs.append(_run_pair(contest, folder, position, pairs[0] if pairs else [], tell, interruption))
            if contest.rules.stop_early and all(question.is_settled for question in judge_all(contest, pairs)):
                break
    return pairs


def find_trials(contest: Contest, folder: Path) -> list[Trial]:
    """Return the trials that have ended in the comparison's folder."""
    seeds = range(contest.rules.first_seed, contest.rules.first_seed + contest.rules.trials)
    places = [(one, seed, _run_folder(folder, one, seed)) for seed in seeds for one in contest.contestants]
    return [_read_trial(contest, one, run, seed) for one, seed, run in places if (run / "trial.json").exists()]


def judge_all(contest: Contest, pairs: list[list[Trial]]) -> list[Question]:
    """Return where every design but the first stands against the first.

    The error is shared out among the designs (Bonferroni), so that all intervals on accuracy together, and all on time,
    hold the truth with probability ``1 - alpha``.
    """
    alpha = contest.rules.alpha / (len(contest.contestants) - 1)
    return [
        Question(
            judge(
                [pair[index].accuracy - pair[0].accuracy for pair in pairs],
                margin=contest.rules.accuracy_margin,
                alpha=alpha,
            ),
            judge(
                [math.log(pair[index].prepare_and_train / pair[0].prepare_and_train) for pair in pairs],
                margin=math.log1p(contest.rules.time_margin),
                alpha=alpha,
            ),
        )
        for index in range(1, len(contest.contestants))
    ]


@contextmanager
def hold_comparison(folder: Path) -> Iterator[None]:
    """Keep other processes from working on the same comparison; the kernel lets go when this one ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with RunFolder(folder).hold():
        yield


def check_machine(first: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]) -> None:
    """Refuse two trials, each a name and what it ran on, of different machines or versions.

    Raises:
        UsageError: says what differs.
    """
    (name, machine), (other_name, other_machine) = first, other
    differences = [
        f"{field} {value} and {other_machine.get(field)}"
        for field, value in machine.items()
        if other_machine.get(field) != value
    ]
    if differences:
        raise UsageError(
            f"trials {name} and {other_name} differ in {', '.join(differences)}: times of different machines or "
            "versions cannot be compared; start anew with another --name or --runs-dir"
        )


def _run_pair(
    contest: Contest,
    folder: Path,
    position: int,
    first: Sequence[Trial],
    tell: Callable[[Trial, int], None],
    interruption: Interruption,
) -> list[Trial]:
    """Run one trial of each and return them in the contestants' order."""
    done: dict[str, Trial] = {}
    for contestant in contest.order(position):
        trial = _run_once(contest, contestant, folder, contest.rules.first_seed + position, interruption)
        before = next(iter([*first, *done.values()]), trial)
        check_machine((before.folder.name, before.machine), (trial.folder.name, trial.machine))
        done[contestant.letter] = trial
        tell(trial, position)
    return [done[contestant.letter] for contestant in contest.contestants]


def _run_folder(folder: Path, contestant: Contestant, seed: int) -> Path:
    return folder / "runs" / f"{seed:04d}-{contestant.letter}"


def _run_once(contest: Contest, contestant: Contestant, folder: Path, seed: int, interruption: Interruption) -> Trial:
    run = _run_folder(folder, contestant, seed)
    if not (run / "trial.json").exists():
        _run_process(contest, contestant, folder, run, seed, interruption)
    return _read_trial(contest, contestant, run, seed)


def _run_process(
    contest: Contest, contestant: Contestant, folder: Path, run: Path, seed: int, interruption: Interruption
) -> None:
    orders = folder / "orders"
    orders.mkdir(parents=True, exist_ok=True)
    config, order, log = (orders / f"{run.name}{suffix}" for suffix in (".yaml", ".json", ".log"))
    write_text(config, dump_yaml(contestant.of_seed(seed)))
    write_json(order, {"folder": str(run), "experiment": str(config), "warm_up": contest.rules.warm_up})
    if launch("windtunnel.comparison.trial", order, log, interruption) != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RunError(
            f"trial {run.name} of {contestant.label} failed: {lines[-1] if lines else 'it said nothing'}; its log is "
            f"{log}. Mend the cause and give the same command again: finished trials are kept"
        )


def _read_trial(contest: Contest, contestant: Contestant, run: Path, seed: int) -> Trial:
    """Return the trial that ended in ``run``.

    Raises:
        RunError: it measured no such accuracy, since the data hold no images for it.
    """
    noted = json.loads((run / "trial.json").read_text(encoding="utf-8"))
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    diverged = summary["status"] == "diverged"
    if not diverged and contest.metric not in summary["metrics"]:
        raise RunError(
            f"trial {run.name} of {contestant.label} ended without {contest.metric}: its data have no such part, or "
            "its last epoch was not validated; choose another --metric, or hold images out (data.split.validation=0.1) "
            "and validate every epoch"
        )
    return Trial(
        letter=contestant.letter,
        seed=seed,
        folder=run,
        accuracy=0.0 if diverged else float(summary["metrics"][contest.metric]),
        seconds=summary["seconds"] | {"cold_start": noted["cold_start_seconds"]},
        diverged=diverged,
        resumed=noted["resumed"],
        machine=noted["machine"],
        load=noted["before"]["load"],
        flops=noted.get("flops"),
    )
