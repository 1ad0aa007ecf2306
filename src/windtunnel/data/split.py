"""Cutting a data set into train, validation and test: stratified, and the same for the same seed."""

import hashlib
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.core.rng import derive_seed, permutation
from windtunnel.data.spec import RawDataset
from windtunnel.errors import DataError


@dataclass(frozen=True)
class IndexedPart:
    """Some images of one raw split.

    Args:
        split: the raw split they lie in.
        indices: their places in it, ascending.
    """

    split: str
    indices: Int64[Tensor, " n"]

    def digest(self) -> str:
        """Return sha256 of the raw split's name and the indices."""
        return hashlib.sha256(self.split.encode() + b"\0" + self.indices.numpy().tobytes()).hexdigest()


@dataclass(frozen=True)
class Splits:
    """What is trained on, chosen by and reported on; None where there is no such part."""

    train: IndexedPart
    validation: IndexedPart | None
    test: IndexedPart | None

    def digest(self) -> dict[str, str]:
        """Return the digest of each part there is, by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part.digest() for name, part in parts.items() if part is not None}


def split_official(*, dataset: RawDataset, validation: float, seed: int) -> Splits:
    """Return the set's own parts, with a validation part cut out of train.

    Args:
        dataset: the set.
        validation: fraction of the training images held out; with 0 the set's own validation part is used
            where it has one.
        seed: seed of the cut.

    Raises:
        DataError: the set has no training part, or the cut would leave a part empty.
    """
    whole = _whole(dataset, "train")
    own = _whole(dataset, "validation") if "validation" in dataset.splits else None
    test = _whole(dataset, "test") if "test" in dataset.splits else None
    if validation == 0:
        return Splits(whole, own, test)
    train, held_out = _cut(dataset, [1 - validation, validation], seed)
    return Splits(train, held_out, test)


def split_fractions(*, dataset: RawDataset, train: float, validation: float, test: float, seed: int) -> Splits:
    """Return train, validation and test all cut from the set's training part.

    Args:
        dataset: the set; its own test part stays unread.
        train: fraction trained on, above 0.
        validation: fraction for choosing; 0 makes no such part.
        test: fraction for the end; 0 makes no such part.
        seed: seed of the cut.

    Raises:
        DataError: the set has no training part, or a part asked for would be empty.
    """
    parts = _cut(dataset, [train, validation, test], seed)
    return Splits(parts[0], parts[1] if validation else None, parts[2] if test else None)


def limit_balanced(part: IndexedPart, labels: Int64[Tensor, " n"], count: int, seed: int) -> IndexedPart:
    """Return ``count`` images of ``part``, as near to equally many of each class as there are.

    Args:
        part: what to choose from.
        labels: labels of the whole raw split.
        count: images wanted.
        seed: seed of the choice; a smaller count chooses a subset of a larger one's images.

    Raises:
        DataError: ``part`` has fewer images.
    """
    if count > len(part.indices):
        raise DataError(
            f"data.train_limit: {count} images are wanted and the training part has {len(part.indices)}; "
            "lower it or set it to null"
        )
    # each image's rank within its class, at random; then whole rounds of one image a class
    shuffled = part.indices[permutation(derive_seed(seed, "train_limit"), len(part.indices))]
    rounds = _rank_in_class(labels[shuffled])
    chosen = shuffled[torch.argsort(rounds, stable=True)[:count]]
    return IndexedPart(part.split, chosen.sort().values)


def stratified_parts(labels: Int64[Tensor, " n"], fractions: list[float], seed: int) -> list[Int64[Tensor, " m"]]:
    """Return indices of each fraction's images, ascending, every class cut in the same proportions.

    Part sizes are the rounded fractions of the whole. Class c's k-th image, in random order, is placed at
    (k + u_c) / n_c with one offset u_c in (0, 1) a class, and the line is cut; so a class's share of a part is
    exact up to rounding: off by less than 1 + (number of classes + 1) / 2 * n_c / n images.

    >>> labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    >>> [len(part) for part in stratified_parts(labels, [0.5, 0.25, 0.25], seed=0)]
    [4, 2, 2]
    """
    order = permutation(derive_seed(seed, "split"), len(labels))
    rank = _rank_in_class(labels[order]).double()
    classes = int(labels.max()) + 1 if len(labels) else 0
    size = torch.bincount(labels, minlength=classes).double()[labels[order]]
    # classes start at different offsets, so that rounding does not favour the same part in every class
    offset = (permutation(derive_seed(seed, "offset"), classes).double() + 0.5)[labels[order]] / max(classes, 1)
    ranked = order[torch.argsort((rank + offset) / size, stable=True)]
    total = len(labels)
    ends = [round(sum(fractions[: index + 1]) * total) for index in range(len(fractions))]
    starts = [0, *ends[:-1]]
    return [ranked[start:end].sort().values for start, end in zip(starts, ends, strict=True)]


def _cut(dataset: RawDataset, fractions: list[float], seed: int) -> list[IndexedPart]:
    _whole(dataset, "train")
    labels = dataset.splits["train"].labels
    parts = stratified_parts(labels, fractions, seed)
    for fraction, part in zip(fractions, parts, strict=True):
        if fraction > 0 and len(part) == 0:
            raise DataError(
                f"data.split: a fraction of {fraction:g} of {len(labels)} training images is no image at all; raise it"
            )
    return [IndexedPart("train", part) for part in parts]


def _whole(dataset: RawDataset, split: str) -> IndexedPart:
    if split not in dataset.splits:
        raise DataError(
            f"{dataset.spec.name}: the data set has no {split} part, only {', '.join(dataset.splits) or 'nothing'}"
        )
    return IndexedPart(split, torch.arange(len(dataset.splits[split].labels)))


def _rank_in_class(labels: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
    """Return how many earlier entries have the same label."""
    order = torch.argsort(labels, stable=True)
    grouped = labels[order]
    positions = torch.arange(len(labels))
    starts = torch.searchsorted(grouped, grouped, right=False)
    rank = torch.empty_like(positions)
    rank[order] = positions - starts
    return rank
