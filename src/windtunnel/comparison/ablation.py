"""What each of several changes does, alone, left out, or in every combination; over the comparison's trials."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import stats

from windtunnel.comparison.answer import Comparison, evaluate_trials
from windtunnel.comparison.changes import Change
from windtunnel.comparison.contest import Contest, Rules, set_up
from windtunnel.comparison.provenance import describe_making
from windtunnel.comparison.ratios import percent_of_estimate
from windtunnel.comparison.run import folder_of
from windtunnel.comparison.statistics import adjust_holm
from windtunnel.comparison.trials import Trial, hold_comparison, run_trials
from windtunnel.config.experiment import Experiment
from windtunnel.config.overrides import set_fields
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import write_json
from windtunnel.errors import UsageError
from windtunnel.report.ablation import Bar, plot_effects
from windtunnel.report.comparison import save_comparison

Design = Literal["one_at_a_time", "leave_one_out", "factorial"]
_MOST_FACTORS = 4


@dataclass(frozen=True)
class Variant:
    """The base with some of the changes.

    Args:
        name: as tables show it.
        on: names of the changes it has.
        experiment: the result.
    """

    name: str
    on: frozenset[str]
    experiment: Experiment


@dataclass(frozen=True)
class Estimate:
    """A mean over the seeds.

    Args:
        mean: over the seeds.
        sd: of the seeds' values.
        low: lower end of its t-interval.
        high: upper end.
        p: two-sided t-test against 0; None when the seeds' values do not vary.
        p_adjusted: for all effects of its kind together (Holm).
    """

    mean: float
    sd: float
    low: float
    high: float
    p: float | None
    p_adjusted: float | None


@dataclass(frozen=True)
class Effect:
    """What one change does, or how much one change's effect depends on another's.

    Args:
        changes: the change, or the two of an interaction.
        points: accuracy with it minus without it, percent.
        time: logarithm of the ratio of times.
    """

    changes: tuple[str, ...]
    points: Estimate
    time: Estimate

    @property
    def label(self) -> str:
        """The change's name, or both."""
        return " x ".join(self.changes)


@dataclass(frozen=True)
class Ablation:
    """Everything an ablation found.

    Args:
        folder: its folder: ``ablation.json``, ``ablation.png`` and the trials' run folders under ``runs``.
        design: which variants were trained.
        effects: of each change; with ``factorial`` those of each pair of changes follow.
        comparison: the variants' figures, each against the first.
        trials: what it was found from.
    """

    folder: Path
    design: Design
    effects: tuple[Effect, ...]
    comparison: Comparison
    trials: tuple[Trial, ...]


def plan_variants(base: Mapping[str, Any], changes: Sequence[Change], design: Design) -> list[Variant]:
    """Return what is trained, the variant that the others are compared with first, each checked.

    Raises:
        UsageError: more changes than a full factorial design can take, or two that set one field and are combined.
        ConfigError: a change names an unknown field or gives a bad value.
    """
    names = [change.name for change in changes]
    if design == "factorial" and len(names) > _MOST_FACTORS:
        raise UsageError(
            f"--design factorial: {len(names)} changes make {2 ** len(names)} variants; use at most {_MOST_FACTORS} "
            "changes, or one_at_a_time"
        )
    if design != "one_at_a_time":
        _check_apart(changes)
    for name in names:
        _build(base, changes, {name})  # so that a fault is reported for its change alone
    return [
        Variant(_name(on, names, design), frozenset(on), _build(base, changes, on)) for on in _subsets(names, design)
    ]


def ablate(
    base: Mapping[str, Any],
    changes: Sequence[Change],
    *,
    design: Design,
    rules: Rules,
    name: str | None = None,
    runs_dir: Path | None = None,
    tell: Callable[[Trial, int], None] = lambda trial, position: None,
) -> Ablation:
    """Measure the effect of each change; called again, it goes on.

    Args:
        base: fields of the experiment that is changed.
        changes: what is changed.
        design: which combinations are trained.
        rules: ``trials`` of every variant; p-values are read once, so stopping early is not possible.
        name: the folder's name; None takes ``ablate``. The variants' digest is added.
        runs_dir: where runs lie; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
        tell: called with each trial, and the position of its seed, as it ends.

    Raises:
        UsageError: the variants cannot be compared, or another process works on them.
        RunError: a trial failed; the others are kept.
    """
    variants = plan_variants(base, changes, design)
    contest = set_up([(variant.name, variant.experiment) for variant in variants], rules)
    folder = place_of(contest, name, runs_dir)
    with hold_comparison(folder):
        pairs = run_trials(contest, folder, tell)
        names = [change.name for change in changes]
        effects = estimate_effects(names, variants, pairs, with_pairs=design == "factorial", alpha=rules.alpha)
        found = Ablation(
            folder, design, effects, evaluate_trials(contest, pairs), tuple(itertools.chain.from_iterable(pairs))
        )
        write_json(folder / "ablation.json", _as_json(contest, changes, found))
        figure = plot_effects([_bar(effect) for effect in effects], n=len(pairs), confidence=1 - rules.alpha)
        save_comparison(folder / "ablation.png", figure)
    return found


def place_of(contest: Contest, name: str | None, runs_dir: Path | None) -> Path:
    """Return the ablation's folder."""
    return folder_of(contest, name or "ablate", runs_dir)


def estimate_effects(
    names: Sequence[str],
    variants: Sequence[Variant],
    pairs: Sequence[Sequence[Trial]],
    *,
    with_pairs: bool,
    alpha: float = 0.05,
) -> tuple[Effect, ...]:
    """Return the effect of each of the changes ``names``, and ``with_pairs`` the interaction of each two.

    Each effect is a contrast of the variants within a seed, so what seeds have in common falls out; the t-interval is
    of its mean over the seeds. A change's effect in a factorial design is its mean effect over all combinations of the
    others; an interaction is by how much one's effect is larger with the other than without it.
    """
    alone = [(name,) for name in names]
    both = list(itertools.combinations(names, 2)) if with_pairs else []
    return (*_estimate(alone, variants, pairs, alpha), *_estimate(both, variants, pairs, alpha))


def _estimate(
    contrasts: Sequence[tuple[str, ...]],
    variants: Sequence[Variant],
    pairs: Sequence[Sequence[Trial]],
    alpha: float,
) -> list[Effect]:
    points = np.array([[100 * trial.accuracy for trial in pair] for pair in pairs])
    times = np.array([[math.log(trial.prepare_and_train) for trial in pair] for pair in pairs])
    weights = [_weights(contrast, variants) for contrast in contrasts]
    about_points = _adjust([_mean(points @ weight, alpha) for weight in weights])
    about_times = _adjust([_mean(times @ weight, alpha) for weight in weights])
    return [Effect(*each) for each in zip(contrasts, about_points, about_times, strict=True)]


def _weights(contrast: tuple[str, ...], variants: Sequence[Variant]) -> np.ndarray:
    """Return each variant's weight: those that differ in nothing else are set against each other."""
    known = {variant.on for variant in variants}
    toggles = [frozenset(some) for size in range(len(contrast) + 1) for some in itertools.combinations(contrast, size)]
    complete = [all(variant.on ^ toggle in known for toggle in toggles) for variant in variants]
    signs = [(-1) ** len(set(contrast) - variant.on) for variant in variants]
    weights = np.array([sign * whole for sign, whole in zip(signs, complete, strict=True)], dtype=float)
    return weights * 2 ** len(contrast) / sum(complete)


def _mean(values: np.ndarray, alpha: float) -> Estimate:
    n, mean, sd = len(values), float(values.mean()), float(values.std(ddof=1))
    reach = float(stats.t.isf(alpha / 2, n - 1)) * sd / math.sqrt(n)
    varies = sd > 1e-12 * max(1.0, abs(mean))
    p = float(stats.ttest_1samp(values, 0.0).pvalue) if varies else None
    return Estimate(mean, sd, mean - reach, mean + reach, p, None)


def _adjust(estimates: Sequence[Estimate]) -> list[Estimate]:
    adjusted = iter(adjust_holm([estimate.p for estimate in estimates if estimate.p is not None]))
    return [
        Estimate(one.mean, one.sd, one.low, one.high, one.p, None if one.p is None else next(adjusted))
        for one in estimates
    ]


def _check_apart(changes: Sequence[Change]) -> None:
    """Refuse changes to be combined of which the later would undo a part of the earlier."""
    for one, other in itertools.combinations(changes, 2):
        values = {".".join(path): value for path, value in one.fields}
        for path, value in other.fields:
            if values.get(field := ".".join(path), value) != value:
                raise UsageError(
                    f"changes {one.name!r} and {other.name!r} both set {field}, so together only the later counts; "
                    "make them one change, or use --design one_at_a_time"
                )


def _subsets(names: Sequence[str], design: Design) -> list[set[str]]:
    if design == "one_at_a_time":
        return [set(), *({name} for name in names)]
    if design == "leave_one_out":
        return [set(names), *(set(names) - {name} for name in names)]
    return [set(some) for size in range(len(names) + 1) for some in itertools.combinations(names, size)]


def _name(on: set[str], names: Sequence[str], design: Design) -> str:
    if design == "leave_one_out":
        return "all changes" if len(on) == len(names) else f"without {next(name for name in names if name not in on)}"
    return "+".join(name for name in names if name in on) or "base"


def _build(base: Mapping[str, Any], changes: Sequence[Change], on: set[str]) -> Experiment:
    fields = [field for change in changes if change.name in on for field in change.fields]
    named = " and ".join(repr(change.name) for change in changes if change.name in on)
    return validate_tree(Experiment, set_fields(base, fields), f"the base with change {named}" if on else "the base")


def _bar(effect: Effect) -> Bar:
    return Bar(
        label=effect.label,
        points=(effect.points.low, effect.points.mean, effect.points.high),
        time_percent=percent_of_estimate(vars(effect.time)),
        is_interaction=len(effect.changes) > 1,
    )


def _as_json(contest: Contest, changes: Sequence[Change], found: Ablation) -> dict[str, object]:
    return {
        **describe_making(found.trials[0].machine),
        "design": found.design,
        "rules": asdict(contest.rules),
        "changes": {change.name: {".".join(path): value for path, value in change.fields} for change in changes},
        "effects": [asdict(effect) for effect in found.effects],
        "variants": asdict(found.comparison),
    }
