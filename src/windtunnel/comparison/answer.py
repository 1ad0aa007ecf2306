"""From trials to an answer: figures, tests, and one sentence."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from windtunnel.comparison import sequential, statistics
from windtunnel.comparison.contest import Contest, Rules
from windtunnel.comparison.ratios import percent_more
from windtunnel.comparison.sequential import Decision, Sequential
from windtunnel.comparison.statistics import Paired, Summary, adjust_holm, compare_pairs, summarise, trials_needed
from windtunnel.comparison.trials import Question, Trial, judge_all

_TOO_FEW = "too few trials for an interval yet"


@dataclass(frozen=True)
class Figures:
    """One design's trials in figures.

    Args:
        letter: whose.
        name: what the user called it.
        accuracy: in percent.
        seconds: prepare and train, the time compared.
        clocks: mean seconds of each clock: build, prepare, train, validate, evaluate, lineage, cold_start.
        diverged: trials that did; their accuracy counts as 0.
        resumed: trials that were killed on the way, which their times feel.
        flops: mean of training, counted; None where a trial has none.
    """

    letter: str
    name: str
    accuracy: Summary
    seconds: Summary
    clocks: dict[str, float]
    diverged: int
    resumed: int
    flops: float | None = None


@dataclass(frozen=True)
class Finding:
    """The answer to one question, by the rule that was fixed beforehand.

    Trials that may stop early are judged by the sequential test alone, since a p-value that was looked at until it
    pleased means nothing; a number of trials fixed beforehand is judged by the t-tests.

    Args:
        decision: ``differs``, ``equivalent`` within the margin, or ``open``.
        difference: points of accuracy, or logarithm of the ratio of times.
        low: lower end of the interval.
        high: upper end.
        margin: what counts as none, in the same unit.
        interval_name: what the interval is.
        evidence: p-value or e-value, in words.
    """

    decision: Decision
    difference: float
    low: float
    high: float
    margin: float
    interval_name: str
    evidence: str


@dataclass(frozen=True)
class Answer:
    """One design against the baseline.

    Args:
        letter: the design's.
        accuracy: difference in points (percent).
        accuracy_p: two-sided p-value of the paired t-test, adjusted for the number of designs (Holm).
        time: difference of the logarithms of the times.
        time_p: likewise.
        accuracy_finding: the answer about accuracy.
        time_finding: the answer about time.
        trials_for_margin: pairs that would show an accuracy difference as small as the margin (power at least 0.8) to
            the test that gives the verdict.
        sentence: the verdict in words.
    """

    letter: str
    accuracy: Paired
    accuracy_p: float | None
    time: Paired
    time_p: float | None
    accuracy_finding: Finding
    time_finding: Finding
    trials_for_margin: int
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """Everything a comparison found.

    Args:
        metric: the accuracy compared.
        pairs: trials of each design.
        stopped_early: whether every question was settled before the last trial that was allowed.
        figures: a row a design.
        answers: a row a design but the baseline.
    """

    metric: str
    pairs: int
    stopped_early: bool
    figures: tuple[Figures, ...]
    answers: tuple[Answer, ...]


def evaluate_trials(contest: Contest, pairs: Sequence[Sequence[Trial]]) -> Comparison:
    """Return what the trials, one list a seed in the contestants' order, say."""
    figures = tuple(
        _figures(contestant.letter, contestant.name, [pair[index] for pair in pairs])
        for index, contestant in enumerate(contest.contestants)
    )
    others = range(1, len(contest.contestants))
    accuracies = _adjust_equivalence([_compare_accuracy(contest, pairs, index) for index in others])
    times = _adjust_equivalence([_compare_time(contest, pairs, index) for index in others])
    questions = judge_all(contest, [list(pair) for pair in pairs])
    answers = tuple(
        _answer(contest, (figures[0], one), (accuracy, accuracy_p), (time, time_p), question)
        for one, accuracy, accuracy_p, time, time_p, question in zip(
            figures[1:], accuracies, _adjusted(accuracies), times, _adjusted(times), questions, strict=True
        )
    )
    return Comparison(contest.metric, len(pairs), len(pairs) < contest.rules.trials, figures, answers)


def _answer(
    contest: Contest,
    figures: tuple[Figures, Figures],
    accuracy: tuple[Paired, float | None],
    time: tuple[Paired, float | None],
    question: Question,
) -> Answer:
    points = question.accuracy
    scaled = Sequential(points.decision, points.e_value, 100 * points.low, 100 * points.high)
    about_accuracy, about_time = _find(contest.rules, *accuracy, scaled), _find(contest.rules, *time, question.time)
    return Answer(
        letter=figures[1].letter,
        accuracy=accuracy[0],
        accuracy_p=accuracy[1],
        time=time[0],
        time_p=time[1],
        accuracy_finding=about_accuracy,
        time_finding=about_time,
        trials_for_margin=trials_needed(
            accuracy[0].sd, 100 * contest.rules.accuracy_margin, critical=_critical_t(contest)
        ),
        sentence=_sentence(*figures, about_accuracy, about_time),
    )


def _critical_t(contest: Contest) -> Callable[[int], float]:
    test = sequential.critical_t if contest.rules.stop_early else statistics.critical_t
    return functools.partial(test, alpha=contest.rules.alpha / (len(contest.contestants) - 1))


def _find(rules: Rules, paired: Paired, p: float | None, state: Sequential) -> Finding:
    if rules.stop_early:
        name = f"{100 * (1 - rules.alpha):.4g}% interval at any time"
        evidence = f"e={state.e_value:.3g}"
        return Finding(state.decision, paired.difference, state.low, state.high, paired.margin, name, evidence)
    decision: Decision = "open"
    if (paired.p_signs if p is None else p) < rules.alpha:
        decision = "differs"
    elif paired.difference == 0 if paired.p_equivalent is None else paired.p_equivalent < rules.alpha:
        decision = "equivalent"
    return Finding(decision, paired.difference, paired.low, paired.high, paired.margin, "95% CI", _p(p))


def _figures(letter: str, name: str, trials: list[Trial]) -> Figures:
    clocks = {clock for trial in trials for clock in trial.seconds}
    means = {clock: sum(trial.seconds.get(clock, 0.0) for trial in trials) / len(trials) for clock in sorted(clocks)}
    means["lineage"] = means.get("prepare", 0.0) + means.get("train", 0.0) + means.get("evaluate", 0.0)
    return Figures(
        letter=letter,
        name=name,
        accuracy=summarise([100 * trial.accuracy for trial in trials]),
        seconds=summarise([trial.prepare_and_train for trial in trials]),
        clocks=means,
        diverged=sum(trial.diverged for trial in trials),
        resumed=sum(trial.resumed for trial in trials),
        flops=_mean_flops(trials),
    )


def _mean_flops(trials: Sequence[Trial]) -> float | None:
    counted = [trial.flops for trial in trials if trial.flops is not None]
    return sum(counted) / len(counted) if len(counted) == len(trials) else None


def _compare_accuracy(contest: Contest, pairs: Sequence[Sequence[Trial]], index: int) -> Paired:
    mine = [100 * pair[index].accuracy for pair in pairs]
    base = [100 * pair[0].accuracy for pair in pairs]
    return compare_pairs(base, mine, margin=100 * contest.rules.accuracy_margin)


def _compare_time(contest: Contest, pairs: Sequence[Sequence[Trial]], index: int) -> Paired:
    mine = [math.log(pair[index].prepare_and_train) for pair in pairs]
    base = [math.log(pair[0].prepare_and_train) for pair in pairs]
    return compare_pairs(base, mine, margin=math.log1p(contest.rules.time_margin))


def _adjust_equivalence(comparisons: Sequence[Paired]) -> list[Paired]:
    """Return the comparisons with the p-values of their equivalence tests adjusted for all designs (Holm)."""
    adjusted = iter(adjust_holm([one.p_equivalent for one in comparisons if one.p_equivalent is not None]))
    return [one if one.p_equivalent is None else replace(one, p_equivalent=next(adjusted)) for one in comparisons]


def _adjusted(comparisons: Sequence[Paired]) -> list[float | None]:
    known = [comparison.p for comparison in comparisons if comparison.p is not None]
    adjusted = iter(adjust_holm(known))
    return [None if comparison.p is None else next(adjusted) for comparison in comparisons]


def _sentence(base: Figures, one: Figures, accuracy: Finding, time: Finding) -> str:
    names = f"Against {base.letter} {base.name}, {one.letter} {one.name}"
    return f"{names} is {_about_time(time)} and {_about_accuracy(accuracy)}.{_about_divergence(base, one)}"


def _about_divergence(base: Figures, one: Figures) -> str:
    counts = [f"{each.diverged} of {each.letter}'s {each.accuracy.n} trials" for each in (base, one) if each.diverged]
    if not counts:
        return ""
    return f" {' and '.join(counts)} diverged: they count with accuracy 0 and with the time until they stopped."


def _about_time(found: Finding) -> str:
    if found.decision == "equivalent":
        return f"equally fast within {100 * math.expm1(found.margin):.3g}%"
    change, *ends = map(percent_more, (found.difference, found.low, found.high))
    if found.decision == "differs":
        least, most = sorted(map(abs, ends))
        word = "faster" if change < 0 else "slower"
        return f"{abs(change):.1f}% {word} ({found.interval_name} {least:.1f} to {most:.1f}%, {found.evidence})"
    if math.isinf(found.high):
        return f"not shown to be faster or slower ({change:+.1f}% time, {_TOO_FEW})"
    inner = f"{change:+.1f}% time, {found.interval_name} {ends[0]:+.1f} to {ends[1]:+.1f}%, {found.evidence}"
    return f"not shown to be faster or slower ({inner})"


def _about_accuracy(found: Finding) -> str:
    if found.decision == "equivalent":
        return f"equally accurate within {found.margin:.3g} points"
    if math.isinf(found.high):
        return f"not shown to be better or worse ({found.difference:+.2f} points, {_TOO_FEW})"
    inner = f"{found.interval_name} {found.low:+.2f} to {found.high:+.2f}, {found.evidence}"
    if found.decision == "differs":
        return f"{abs(found.difference):.2f} points {'better' if found.difference > 0 else 'worse'} ({inner})"
    return f"not shown to be better or worse ({found.difference:+.2f} points, {inner})"


def _p(p: float | None) -> str:
    return "no spread" if p is None else f"p={p:.2g}" if p >= 1e-4 else "p<0.0001"
