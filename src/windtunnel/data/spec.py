"""What a data set is: its shape and class names, and its images and labels split by split."""

from collections.abc import Mapping
from dataclasses import dataclass

from windtunnel.core.types import ImageBytes


@dataclass(frozen=True)
class DatasetSpec:
    """Facts about a data set that hold for every image in it.

    Args:
        name: short name, e.g. ``cifar10``.
        class_names: one name a class, in the order of the labels.
        channels: 1 for grey, 3 for colour.
        image_size: height and width, pixels.
        mean: public per-channel mean of pixels scaled to 0..1, or None where there is none.
        std: public per-channel standard deviation, likewise.
    """

    name: str
    class_names: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


@dataclass(frozen=True)
class RawDataset:
    """A data set as its files hold it, before any split of ours.

    Args:
        spec: facts about the set.
        splits: ``train`` and, where the set has them, ``validation`` and ``test``.
        digest: sha256 of the decoded images and labels; the same whatever file form they came in.
    """

    spec: DatasetSpec
    splits: Mapping[str, ImageBytes]
    digest: str
