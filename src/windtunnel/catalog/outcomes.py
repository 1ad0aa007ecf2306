"""What the answers of ablations and of times to an accuracy say, out of their JSON files.

Whoever wrote such a file, or damaged it: a value that is missing or of another kind raises LookupError, TypeError,
ValueError or AttributeError, which :mod:`windtunnel.catalog.comparisons` catches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windtunnel.comparison.ratios import percent_of_estimate

Tree = Mapping[str, Any]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class EffectRow:
    """What one change of an ablation does, or how two depend on each other.

    Args:
        label: the change's name, or both.
        is_interaction: whether it is of two changes.
        points: low, mean and high of the difference of accuracy, points.
        points_p: adjusted p-value; None where the seeds' values do not vary.
        percent: low, mean and high of the time, percent more.
        percent_p: likewise.
    """

    label: str
    is_interaction: bool
    points: Triple
    points_p: float | None
    percent: Triple
    percent_p: float | None

    def __str__(self) -> str:
        """Return the effect in words."""
        (low, mean, high), (least, middle, most) = self.points, self.percent
        return (
            f"{self.label}: {mean:+.2f} points ({low:+.2f} to {high:+.2f}), "
            f"{middle:+.1f}% time ({least:+.1f} to {most:+.1f}%)."
        )


@dataclass(frozen=True)
class AttemptRow:
    """One trial of a time to an accuracy.

    Args:
        letter: whose.
        seed: its seed.
        reached: whether it reached the target.
        seconds: prepare and train until then, or until its last look.
        epochs: likewise.
        accuracy: then, percent.
        flops: of training until then.
    """

    letter: str
    seed: int
    reached: bool
    seconds: float
    epochs: float
    accuracy: float
    flops: float


def read_effects(answer: Tree) -> tuple[EffectRow, ...]:
    """Return the effects in an ablation's answer."""
    return tuple(_read_effect(effect) for effect in answer.get("effects", []))


def read_attempts(answer: Tree) -> tuple[AttemptRow, ...]:
    """Return the trials in an answer about times to an accuracy, by design and seed."""
    found = [_read_attempt(one) for finish in answer.get("finishes", []) for one in finish["attempts"]]
    return tuple(sorted(found, key=lambda attempt: (attempt.letter, attempt.seed)))


def describe_times(answer: Tree) -> list[str]:
    """Return the ratios of times and then what each design took, a line each."""
    finishes, target = answer["finishes"], f"{100 * float(answer['goal']['target']):g}%"
    base = f"{finishes[0]['letter']} {finishes[0]['name']}"
    ratios = [_describe_ratio(ratio, base) for ratio in answer.get("ratios", [])]
    return ratios + [_describe_finish(finish, target) for finish in finishes if finish["attempts"]]


def describe_goal(answer: Tree) -> str:
    """Return what was measured, how often and on which images."""
    goal = answer["goal"]
    images = {"validation": "images held out of training", "test": "the test images"}[goal["on"]]
    looks = f"looks every {float(goal['every']):g} epochs, off the clock"
    return f"Prepare and train until {100 * float(goal['target']):g}% on {images}; {looks}."


def count_missing(answer: Tree) -> int:
    """Return how many trials are still to come."""
    finishes = answer.get("finishes", [])
    return max(int(answer.get("trials", 0)) * len(finishes) - sum(len(finish["attempts"]) for finish in finishes), 0)


def _read_effect(effect: Tree) -> EffectRow:
    points, time = effect["points"], effect["time"]
    return EffectRow(
        label=" x ".join(effect["changes"]),
        is_interaction=len(effect["changes"]) > 1,
        points=_triple(points),
        points_p=_number(points.get("p_adjusted")),
        percent=percent_of_estimate(time),
        percent_p=_number(time.get("p_adjusted")),
    )


def _read_attempt(one: Tree) -> AttemptRow:
    return AttemptRow(
        letter=str(one["letter"]),
        seed=int(one["seed"]),
        reached=bool(one["reached"]),
        seconds=float(one["seconds"]),
        epochs=float(one["epochs"]),
        accuracy=100 * float(one["accuracy"]),
        flops=float(one["flops"]),
    )


def _describe_ratio(ratio: Tree, base: str) -> str:
    known = "1 pair"
    if ratio.get("low") is not None:
        known = f"95% interval {ratio['low']:.3f} to {ratio['high']:.3f}, {ratio['pairs']} pairs"
    return f"{ratio['letter']} takes {ratio['ratio']:.3f} of the time of {base} ({known})."


def _describe_finish(finish: Tree, target: str) -> str:
    name, attempts = f"{finish['letter']} {finish['name']}", finish["attempts"]
    reached = sum(bool(one["reached"]) for one in attempts)
    if not reached:
        best = 100 * max(float(one["best"]) for one in attempts)
        return f"{name} never reached {target} in {len(attempts)} trials: {best:.2f}% at best."
    return f"{name} reached {target} in {reached} of {len(attempts)} trials, median {finish['median']:.2f} s."


def _triple(estimate: Tree) -> Triple:
    return float(estimate["low"]), float(estimate["mean"]), float(estimate["high"])


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
