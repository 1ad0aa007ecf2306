"""Which classes are taken for which: the confusion matrix and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from jaxtyping import Int64
from torch import Tensor


@dataclass(frozen=True)
class ClassScores:
    """How well one class is told from the others.

    Args:
        name: the class.
        images: images of the class.
        precision: fraction of the images taken for the class that are of it; None when none was taken for it.
        recall: fraction of the class's images that were found; None without images.
        f1: harmonic mean of both; None when the class occurs neither among labels nor among predictions.
    """

    name: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class MacroScores:
    """Means over the classes that occur among labels or predictions, an undefined score counting as 0."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for each other.

    Args:
        first: the class that is mistaken more often.
        second: the other.
        first_as_second: images of the first that were taken for the second.
        second_as_first: the other way round.
    """

    first: str
    second: str
    first_as_second: int
    second_as_first: int


def count_confusions(
    predicted: Int64[Tensor, " n"], labels: Int64[Tensor, " n"], num_classes: int
) -> Int64[Tensor, "k k"]:
    """Return the number of images of class ``row`` that were taken for class ``column``.

    >>> import torch
    >>> count_confusions(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    cells = (labels * num_classes + predicted).bincount(minlength=num_classes**2)
    return cells.view(num_classes, num_classes)


def score_classes(confusion: Int64[Tensor, "k k"], class_names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Return precision, recall and F1 of each class."""
    found, images, taken = confusion.diagonal().tolist(), confusion.sum(1).tolist(), confusion.sum(0).tolist()
    return tuple(
        ClassScores(
            name,
            images[index],
            precision=_ratio(found[index], taken[index]),
            recall=_ratio(found[index], images[index]),
            f1=_ratio(2 * found[index], images[index] + taken[index]),
        )
        for index, name in enumerate(class_names)
    )


def average_scores(scores: Sequence[ClassScores]) -> MacroScores:
    """Return the unweighted means over the classes."""
    occurring = [each for each in scores if each.f1 is not None]
    return MacroScores(
        precision=sum(each.precision or 0.0 for each in occurring) / len(occurring),
        recall=sum(each.recall or 0.0 for each in occurring) / len(occurring),
        f1=sum(each.f1 or 0.0 for each in occurring) / len(occurring),
    )


def find_confused_pairs(
    confusion: Int64[Tensor, "k k"], class_names: Sequence[str], *, count: int
) -> tuple[ConfusedPair, ...]:
    """Return up to ``count`` pairs of classes, those most often taken for each other first."""
    rows = confusion.tolist()
    pairs = [
        ConfusedPair(class_names[i], class_names[j], first_as_second=rows[i][j], second_as_first=rows[j][i])
        for one, other in combinations(range(len(rows)), 2)
        for i, j in [(one, other) if rows[one][other] >= rows[other][one] else (other, one)]
        if rows[i][j] > 0
    ]
    return tuple(sorted(pairs, key=lambda pair: -(pair.first_as_second + pair.second_as_first))[:count])


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
