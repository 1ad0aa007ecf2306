"""What comparisons and ablations say on the terminal: plan, progress, tables."""

import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.cli.tables import format_table
from windtunnel.comparison.ratios import percent_more
from windtunnel.report.numbers import format_tera

if TYPE_CHECKING:
    from pathlib import Path

    from windtunnel.comparison.answer import Answer, Comparison, Figures, Finding
    from windtunnel.comparison.contest import Contest
    from windtunnel.comparison.statistics import Paired
    from windtunnel.comparison.trials import Trial

_LONGEST_LABEL = 26
EXPLANATION = (
    "seconds: prepare + train, what is compared; lineage: with evaluation; cold: from the start of the process;\n"
    "TFLOP: of training, counted, 6 a multiply-add"
)


class Progress:
    """Prints each trial as it ends and, after each round, how long the rest may take.

    Args:
        contest: whose trials.
    """

    def __init__(self, contest: "Contest") -> None:
        self._contest = contest
        self._seconds: list[float] = []

    def __call__(self, trial: "Trial", position: int) -> None:
        """Tell of the trial that ended; ``position`` is its seed's, from 0."""
        outcome = "diverged" if trial.diverged else f"{trial.accuracy:.2%}"
        resumed = ", resumed after a stop" if trial.resumed else ""
        said = f"trial {position + 1} {trial.letter}, seed {trial.seed}: {outcome}"
        print(f"{said}, {trial.prepare_and_train:.2f} s{resumed}", flush=True)
        self._seconds.append(trial.seconds["cold_start"])
        designs, trials = len(self._contest.contestants), self._contest.rules.trials
        if len(self._seconds) % designs == 0 and position + 1 < trials:
            left = sum(self._seconds) / (position + 1) * (trials - position - 1)
            sooner = ", less if settled sooner" if self._contest.rules.stop_early else ""
            print(f"  about {span(left)} for the remaining {trials - position - 1} of each{sooner}", flush=True)


def describe_plan(contest: "Contest", folder: "Path", found: list["Trial"]) -> str:
    """Return who is compared, how often and, where trials have ended already, how long the rest may take."""
    designs, trials = contest.contestants, contest.rules.trials
    stop = ", fewer when every question is settled" if contest.rules.stop_early else ""
    lines = [f"{folder}", f"up to {trials} trials of each{stop}; judged by {contest.metric}"]
    lines += [f"  {one.label}" for one in designs]
    left = len(designs) * trials - len(found)
    if found:
        seconds = left * sum(trial.seconds["cold_start"] for trial in found) / len(found)
        lines.append(f"{len(found)} trials have ended already; the other {left} take about {span(seconds)} at most")
    else:
        lines.append(f"{left} trials at most; the time is estimated once each design has had one")
    return "\n".join(lines)


def describe(comparison: "Comparison") -> str:
    """Return the tables of a comparison, for terminals of 120 columns."""
    stopped = ", stopped early: every question is settled" if comparison.stopped_early else ""
    return "\n\n".join(
        [
            f"{comparison.pairs} trials each, {comparison.metric}{stopped}",
            format_table([figures_row(figures) for figures in comparison.figures]),
            EXPLANATION,
            format_table([row for answer in comparison.answers for row in _answer_rows(answer)]),
        ]
    )


def describe_load(loads: Sequence[float]) -> str:
    """Return a warning where the machine was busy with other work when trials began, else nothing."""
    cores = os.cpu_count() or 1
    if not loads or statistics.median(loads) <= cores:
        return ""
    return (
        f"Beware: this machine was busy (load {statistics.median(loads):.1f} on {cores} cores when trials began), so "
        "times say little; repeat on a quiet one.\n"
    )


def describe_power(comparison: "Comparison") -> str:
    """Return how many trials a difference as small as the margin would need, a line a design."""
    return "\n".join(_power_line(answer, comparison.pairs) for answer in comparison.answers)


def span(seconds: float) -> str:
    """Return a duration for people.

    >>> span(12.3), span(190), span(8000)
    ('12 s', '3.2 min', '2.2 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def short_name(reference: str) -> str:
    """Return what tables call a recipe or file.

    >>> short_name("cifar10/fast94"), short_name("mine/half.yaml")
    ('cifar10/fast94', 'half')
    """
    from windtunnel.config.files import is_yaml

    return Path(reference).stem if is_yaml(reference) else reference


def shorten(label: str) -> str:
    """Return ``label`` with what is too much for a table cut off its end.

    >>> shorten("B " + "x" * 60)
    'B xxxxxxxxxxxxxxxxxxxxx...'
    """
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 3] + "..."


def interval(low: float | None, high: float | None, digits: int, sign: str = "") -> str:
    """Return an interval in words, or nothing where it has no ends.

    >>> interval(-1.0, 2.5, 1, "+"), interval(0.0, float("inf"), 1)
    ('-1.0 to +2.5', 'too few yet')
    """
    if low is None or high is None:
        return ""
    return f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}" if math.isfinite(high - low) else "too few yet"


def figures_row(figures: "Figures") -> dict[str, Any]:
    """Return a design's row in the table of figures."""
    accuracy, seconds = figures.accuracy, figures.seconds
    digits = 2 if seconds.mean < 100 else 1
    row = {
        "design": shorten(f"{figures.letter} {figures.name}"),
        "accuracy %": f"{accuracy.mean:.2f}",
        "95% CI": interval(accuracy.low, accuracy.high, 2),
        "sd": _number(accuracy.sd, 2),
        "seconds": f"{seconds.mean:.{digits}f}",
        "95% CI ": interval(seconds.low, seconds.high, digits),
        "lineage": f"{figures.clocks['lineage']:.{digits}f}",
        "cold": f"{figures.clocks['cold_start']:.{digits - 1}f}",
        "TFLOP": "" if figures.flops is None else format_tera(figures.flops),
    }
    failures = [f"{count} {word}" for word in ("diverged", "resumed") if (count := getattr(figures, word))]
    return row | {"note": ", ".join(failures)}


def _answer_rows(answer: "Answer") -> list[dict[str, Any]]:
    points, time = answer.accuracy_finding, answer.time_finding
    low, high = (percent_more(end) for end in (time.low, time.high))
    return [
        {
            "against A": f"{answer.letter} points",
            "difference": f"{points.difference:+.2f}",
            points.interval_name: interval(points.low, points.high, 2, "+"),
            **_tests(answer.accuracy, answer.accuracy_p),
            "settled": _settled(points),
        },
        {
            "against A": f"{answer.letter} time %",
            "difference": f"{percent_more(time.difference):+.1f}",
            points.interval_name: interval(low, high, 1, "+"),
            **_tests(answer.time, answer.time_p),
            "settled": _settled(time),
        },
    ]


def _tests(paired: "Paired", p: float | None) -> dict[str, str]:
    return {
        "p": _number(p, 4),
        "p signs": _number(paired.p_signs, 4),
        "effect g": _number(paired.effect, 2),
        "P(above A)": _number(paired.probability_positive, 3),
        "p equal": _number(paired.p_equivalent, 4),
    }


def _settled(found: "Finding") -> str:
    return f"{found.decision}, {found.evidence}"


def _power_line(answer: "Answer", pairs: int) -> str:
    needed, margin = answer.trials_for_margin, answer.accuracy_finding.margin
    more = f"{needed - pairs} more" if needed > pairs else "no more"
    return (
        f"To show a true difference of {margin:.3g} points to {answer.letter}, {needed} trials each are needed: {more}."
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
