"""Which settings of a sweep mattered: permutation importance of a random forest over its finished runs.

The forest is scikit-learn's. It is asked how much worse it predicts the metric of runs that its trees were not grown
on once one setting's values are shuffled; what it gets wrong already without that is told as well, since importances
of a forest that explains nothing mean nothing.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from windtunnel.config.sweep import Axis
from windtunnel.sweeps.results import Results

_FEWEST_POINTS = 4
_TREES = 100
_SHUFFLES = 10


@dataclass(frozen=True)
class Importance:
    """How much the settings mattered.

    Args:
        shares: setting -> share of the importance of all, largest first; they sum to 1, or are all 0.
        explained: share of the metric's variance that the forest explains on runs its trees were not grown on.
        points: points it is based on.
    """

    shares: dict[str, float]
    explained: float
    points: int


def compute_importance(results: Results) -> Importance | None:
    """Return how much each setting mattered, or None for fewer than 4 measured points or 2 settings that vary."""
    measured = [point for point in results.points if point.values]
    space = results.definition.config.space
    varied = [path for path, axis in space.items() if axis.values is None or len(axis.values) > 1]
    if len(measured) < _FEWEST_POINTS or len(varied) < 2:
        return None
    columns = [_encode_all(space[path], [point.choices.get(path) for point in measured]) for path in varied]
    values = [point.mean for point in measured]
    drops, explained = _measure_drops(np.stack(columns, axis=1), np.array(values, dtype=float))
    total = float(drops.sum())
    shares = {path: float(drop) / total if total > 0 else 0.0 for path, drop in zip(varied, drops, strict=True)}
    ordered = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return Importance(ordered, explained, len(measured))


def _measure_drops(settings: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return how much the out-of-bag error grows for each column shuffled, and the share explained without that."""
    from sklearn.ensemble import ExtraTreesRegressor

    random = np.random.default_rng(0)
    forest = ExtraTreesRegressor(_TREES, bootstrap=True, max_features=None, random_state=0, n_jobs=1)
    forest.fit(settings, values)
    unseen = _unseen_rows(forest.estimators_samples_, len(values))
    tables = [settings]
    for column in range(settings.shape[1]):
        for _ in range(_SHUFFLES):
            tables.append(settings.copy())
            tables[-1][:, column] = random.permutation(settings[:, column])
    error, *shuffled = _errors(forest.estimators_, unseen, tables, values)
    means = np.mean(np.reshape(shuffled, (-1, _SHUFFLES)), axis=1)
    spread = float(np.var(values))
    return np.maximum(means - error, 0.0), max(1 - error / spread, 0.0) if spread > 0 else 0.0


def _unseen_rows(samples: Sequence[NDArray[np.intp]], rows: int) -> NDArray[np.bool_]:
    """Return for every tree which rows it was not grown on."""
    unseen = np.ones((len(samples), rows), dtype=bool)
    for tree, seen in enumerate(samples):
        unseen[tree, seen] = False
    return unseen


def _errors(
    trees: Sequence[Any],
    unseen: NDArray[np.bool_],
    tables: Sequence[NDArray[np.float64]],
    values: NDArray[np.float64],
) -> list[float]:
    """Return for each table the mean squared error of each row's mean over the trees that were not grown on it."""
    rows = np.concatenate(tables)  # one call a tree: a call costs far more than a row
    predictions = np.stack([tree.predict(rows).reshape(len(tables), -1) for tree in trees])
    counts = unseen.sum(axis=0)
    asked = counts > 0
    means = (predictions * unseen[:, None]).sum(axis=0)[:, asked] / counts[asked]
    return [float(error) for error in np.mean((means - values[asked]) ** 2, axis=1)]


def _encode_all(axis: Axis, values: Sequence[Any]) -> NDArray[np.float64]:
    """Return a setting's values as numbers; where it is off the median, so that it does not give away what is on."""
    numbers = np.array([_encode(axis, value) for value in values])
    off = np.isnan(numbers)
    return np.where(off, np.median(numbers[~off]) if not off.all() else 0.0, numbers)


def _encode(axis: Axis, value: Any) -> float:
    """Return a value as a number: itself, its logarithm, or its place among the listed ones; NaN where it is off."""
    if axis.values is not None:
        texts = [json.dumps(each, sort_keys=True) for each in axis.values]
        text = json.dumps(value, sort_keys=True)
        return float(texts.index(text)) if text in texts else math.nan
    if value is None:
        return math.nan
    return math.log(value) if axis.log else float(value)
