"""A whole comparison: folder, trials, answer, files."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from windtunnel.comparison.answer import Comparison, evaluate_trials
from windtunnel.comparison.contest import Contest, Rules, set_up
from windtunnel.comparison.provenance import describe_making
from windtunnel.comparison.statistics import Summary
from windtunnel.comparison.trials import Trial, hold_comparison, run_trials
from windtunnel.config.experiment import Experiment, check_folder_name
from windtunnel.core.files import write_json
from windtunnel.report.comparison import Cloud, plot_comparison, save_comparison
from windtunnel.training.folder import default_runs_dir

PROJECT = "comparisons"


@dataclass(frozen=True)
class ComparisonResult:
    """A finished comparison.

    Args:
        folder: its folder: ``comparison.json``, ``comparison.png`` and the trials' run folders under ``runs``.
        comparison: what was found.
        trials: what it was found from.
    """

    folder: Path
    comparison: Comparison
    trials: tuple[Trial, ...]

    def __str__(self) -> str:
        """Return the verdicts, a line each."""
        return "\n".join(answer.sentence for answer in self.comparison.answers)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from windtunnel.report.notebook import show_comparison

        return show_comparison(self.folder, [answer.sentence for answer in self.comparison.answers])


def compare(
    designs: Sequence[tuple[str, Experiment]],
    rules: Rules | None = None,
    *,
    name: str | None = None,
    runs_dir: Path | None = None,
    tell: Callable[[Trial, int], None] = lambda trial, position: None,
) -> ComparisonResult:
    """Say whether designs differ, by interleaved trials with paired seeds; called again, it goes on.

    Args:
        designs: name and experiment of each, the baseline first.
        rules: how many trials, which margins, when to stop; None takes the defaults.
        name: the comparison's folder; None makes one from the designs, so that the same call finds it again.
        runs_dir: where runs lie; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
        tell: called with each trial, and the position of its seed, as it ends.

    Raises:
        UsageError: the designs cannot be compared, or another process works on this comparison.
        RunError: a trial failed; the others are kept.
    """
    contest = set_up(designs, rules or Rules())
    folder = folder_of(contest, name, runs_dir)
    with hold_comparison(folder):
        pairs = run_trials(contest, folder, tell)
        comparison = evaluate_trials(contest, pairs)
        write_json(folder / "comparison.json", _as_json(contest, comparison, pairs))
        clouds = [
            _cloud(contestant.label, comparison.figures[index].accuracy, comparison.figures[index].seconds, trials)
            for index, contestant in enumerate(contest.contestants)
            if (trials := [pair[index] for pair in pairs])
        ]
        save_comparison(folder / "comparison.png", plot_comparison(clouds, metric=contest.metric))
    return ComparisonResult(folder, comparison, tuple(itertools.chain.from_iterable(pairs)))


def folder_of(contest: Contest, name: str | None, runs_dir: Path | None) -> Path:
    """Return the comparison's folder; its name ends with the designs' digest, so no other trials lie in it."""
    chosen = check_folder_name(name, "--name") if name else "compare"
    return (runs_dir or default_runs_dir()) / PROJECT / f"{chosen}-{contest.key}"


def _cloud(label: str, accuracy: Summary, seconds: Summary, trials: Sequence[Trial]) -> Cloud:
    return Cloud(
        label=label,
        seconds=tuple(trial.prepare_and_train for trial in trials),
        accuracies=tuple(100 * trial.accuracy for trial in trials),
        seconds_interval=_interval(seconds),
        accuracy_interval=_interval(accuracy),
        folders=tuple(trial.folder for trial in trials),
    )


def _interval(summary: Summary) -> tuple[float, float] | None:
    return None if summary.low is None or summary.high is None else (summary.low, summary.high)


def _as_json(contest: Contest, comparison: Comparison, pairs: Sequence[Sequence[Trial]]) -> dict[str, object]:
    return {
        **describe_making(pairs[0][0].machine),
        "rules": asdict(contest.rules),
        **asdict(comparison),
        "trials": [
            {**asdict(trial), "folder": str(trial.folder), "accuracy": trial.accuracy}
            for pair in pairs
            for trial in pair
        ],
    }
