"""What is compared: two or more experiments on the same data, and how the question is asked."""

import hashlib
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.errors import UsageError

Metric = Literal["val_accuracy", "test_accuracy"]


@dataclass(frozen=True)
class Rules:
    """How the question is asked.

    Args:
        trials: most trials of each design.
        metric: the accuracy compared; None takes validation where every design holds images out for it, else test.
        accuracy_margin: a difference of accuracies (0..1) up to this counts as none.
        time_margin: a relative difference of times up to this counts as none.
        alpha: error of the first kind of each question.
        first_seed: seed of the first trials; the next ones have the next.
        stop_early: stop when every question is settled.
        warm_up: spend a few updates before the clock starts, so that no trial pays for first calls.
    """

    trials: int = 10
    metric: Metric | None = None
    accuracy_margin: float = 0.002
    time_margin: float = 0.02
    alpha: float = 0.05
    first_seed: int = 0
    stop_early: bool = True
    warm_up: bool = True


@dataclass(frozen=True)
class Contestant:
    """One design.

    Args:
        letter: ``A`` for the one all others are measured against, then ``B``, ``C``, ...
        name: what the user called it.
        experiment: the design; each trial gives it another seed.
    """

    letter: str
    name: str
    experiment: Experiment

    @property
    def label(self) -> str:
        """Letter and name."""
        return f"{self.letter} {self.name}"

    def of_seed(self, seed: int) -> Experiment:
        """Return the experiment of one trial."""
        return self.experiment.model_copy(update={"seed": seed})


@dataclass(frozen=True)
class Contest:
    """Contestants, at least two, the baseline first; the metric; the rules."""

    contestants: tuple[Contestant, ...]
    metric: Metric
    rules: Rules

    @property
    def key(self) -> str:
        """Digest of what a trial is; rules that only say when to stop are left out, so that more trials can follow."""
        designs = "\n".join(dump_yaml(contestant.experiment) for contestant in self.contestants)
        return hashlib.sha256(f"{self.rules.first_seed} {self.rules.warm_up}\n{designs}".encode()).hexdigest()[:8]

    def order(self, pair: int) -> tuple[Contestant, ...]:
        """Return who runs when in the ``pair``-th round: ABBA, so that drift of the machine hits all alike."""
        return self.contestants if pair % 2 == 0 else self.contestants[::-1]


def set_up(designs: Sequence[tuple[str, Experiment]], rules: Rules) -> Contest:
    """Return the contest of named designs, the baseline first, checked.

    Raises:
        UsageError: fewer than two designs or trials, two that are the same, data that differ, or a metric that a
            design does not measure.
    """
    _check_rules(rules)
    if len(designs) < 2:
        raise UsageError(f"a comparison needs at least two designs, not {len(designs)}: name another recipe or file")
    contestants = name_contestants(designs)
    check_different(contestants)
    check_same_data(contestants)
    metric = rules.metric or ("val_accuracy" if all(map(_validates, contestants)) else "test_accuracy")
    _check_measured(contestants, metric)
    return Contest(contestants, metric, rules)


def name_contestants(designs: Sequence[tuple[str, Experiment]]) -> tuple[Contestant, ...]:
    """Give each named design its letter.

    Raises:
        UsageError: there are more than letters.
    """
    if len(designs) > len(string.ascii_uppercase):
        raise UsageError(f"{len(designs)} designs are more than there are letters; compare at most 26 at once")
    return tuple(
        Contestant(letter, name, experiment)
        for letter, (name, experiment) in zip(string.ascii_uppercase, designs, strict=False)
    )


def _check_rules(rules: Rules) -> None:
    if rules.trials < 2:
        raise UsageError(f"--trials: {rules.trials} shows no spread; use at least 2, better 5 or more")
    if not 0 < rules.alpha < 1:
        raise UsageError(f"--alpha: {rules.alpha:g} is no probability of an error between 0 and 1; 0.05 is usual")
    for option, value in (("--accuracy-margin", rules.accuracy_margin), ("--time-margin", rules.time_margin)):
        if value <= 0:
            raise UsageError(f"{option}: {value:g} must be above 0; it is the difference that counts as none")


def check_different(contestants: Sequence[Contestant]) -> None:
    """Refuse the same design twice: names of runs and projects make no difference, nor do seeds, which trials set.

    Raises:
        UsageError: two are the same.
    """
    seen: dict[str, Contestant] = {}
    for contestant in contestants:
        bare = contestant.experiment.model_copy(update={"name": "x", "project": "x", "seed": 0})
        twin = seen.setdefault(dump_yaml(bare), contestant)
        if twin is not contestant:
            raise UsageError(
                f"{twin.label} and {contestant.label} are the same experiment; change one, e.g. with a YAML file "
                "whose `base` is the other"
            )


def check_same_data(contestants: Sequence[Contestant]) -> None:
    """Refuse designs that would be judged by different images.

    Raises:
        UsageError: sources or splits differ.
    """
    first = contestants[0]
    for contestant in contestants[1:]:
        for field in ("source", "split"):
            mine, other = (getattr(one.experiment.data, field) for one in (first, contestant))
            if mine != other:
                raise UsageError(
                    f"data.{field} of {first.label} and {contestant.label} differ ({mine.name} and {other.name}, or "
                    "their settings): accuracies on different images cannot be compared; give both the same"
                )


def _validates(contestant: Contestant) -> bool:
    """Say whether it is sure that images are held out for choosing; of a set's own, only its files can tell."""
    experiment = contestant.experiment
    return experiment.data.cuts_validation and experiment.train.validate_every > 0


def _check_measured(contestants: Sequence[Contestant], metric: Metric) -> None:
    for contestant in contestants:
        if metric == "test_accuracy" and not contestant.experiment.evaluate.test:
            raise UsageError(f"{contestant.label} does not read its test images: set evaluate.test=true")
        may_validate = contestant.experiment.data.may_have_validation and contestant.experiment.train.validate_every > 0
        if metric == "val_accuracy" and not may_validate:
            raise UsageError(
                f"{contestant.label} has no validation: set data.split.validation and train.validate_every above 0, "
                "or compare by --metric test_accuracy"
            )
