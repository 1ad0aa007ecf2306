"""Looking a data set over: what its parts hold and what is odd about them."""

import hashlib
from dataclasses import dataclass

import torch

from windtunnel.core.types import ImageBytes
from windtunnel.data.named import NAMED_SETS
from windtunnel.data.open import check_dataset, measure_statistics
from windtunnel.data.part import Part
from windtunnel.data.spec import RawDataset


@dataclass(frozen=True)
class PartFacts:
    """What one part of a set holds.

    Args:
        part: ``train``, ``validation`` or ``test``.
        images: how many.
        smallest_class: images of the class with fewest.
        largest_class: images of the class with most.
        duplicates: images whose pixels another image of the part has too.
        mean: per-channel mean, pixels scaled to 0..1.
        std: per-channel standard deviation, likewise.
    """

    part: str
    images: int
    smallest_class: int
    largest_class: int
    duplicates: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Findings:
    """The parts of a set and what is odd about it, in words; nothing odd is an empty tuple."""

    parts: tuple[PartFacts, ...]
    remarks: tuple[str, ...]


def inspect_dataset(raw: RawDataset) -> Findings:
    """Look ``raw`` over.

    Raises:
        DataError: it is empty, has one class only or a label out of range.
    """
    check_dataset(raw)
    hashes = {split: _hash_images(part) for split, part in raw.splits.items()}
    classes = len(raw.spec.class_names)
    parts = tuple(_describe(split, part, hashes[split], classes) for split, part in raw.splits.items())
    return Findings(parts, (*_count_remarks(raw, parts), *_overlap_remarks(hashes)))


def _describe(split: str, part: ImageBytes, hashes: list[bytes], classes: int) -> PartFacts:
    sizes = torch.bincount(part.labels, minlength=classes)
    mean, std = measure_statistics(Part.of(part))
    duplicates = len(hashes) - len(set(hashes))
    return PartFacts(split, len(part.labels), int(sizes.min()), int(sizes.max()), duplicates, mean, std)


def _count_remarks(raw: RawDataset, parts: tuple[PartFacts, ...]) -> list[str]:
    remarks = [f"{part.part} has no image of some class" for part in parts if part.smallest_class == 0]
    known = NAMED_SETS.get(raw.spec.name)
    if known is None:
        return remarks
    found = {part.part: part.images for part in parts}
    return remarks + [
        f"{split} has {found.get(split, 0)} images; the public set has {count}"
        for split, count in known.counts.items()
        if found.get(split, 0) != count
    ]


def _overlap_remarks(hashes: dict[str, list[bytes]]) -> list[str]:
    train = set(hashes.get("train", []))
    shared = {split: sum(item in train for item in items) for split, items in hashes.items() if split != "train"}
    return [f"{count} images of {split} are in train too, pixel for pixel" for split, count in shared.items() if count]


def _hash_images(part: ImageBytes) -> list[bytes]:
    rows = part.images.permute(0, 2, 3, 1).numpy()
    return [hashlib.blake2b(memoryview(row).cast("B"), digest_size=16).digest() for row in rows]
