"""What a data set is: its shape and class names, and its images and labels split by split."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from windtunnel.core.types import ImageBytes
from windtunnel.errors import DataError

_LONGEST_NAME = 200
# no control character, no line or paragraph separator, no half of a surrogate pair
_SHOWABLE = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*")


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

    Raises:
        DataError: a class name cannot be shown, or two classes have one name.
    """

    name: str
    class_names: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Raise :class:`DataError` for a class name that no table, picture or terminal could show or tell apart."""
        for name in self.class_names:
            if len(name) > _LONGEST_NAME or not _SHOWABLE.fullmatch(name):
                raise DataError(
                    f"{self.name}: the class name {name[:_LONGEST_NAME]!r} is longer than {_LONGEST_NAME} characters "
                    "or holds a line break, a control character or no UTF-8; rename the class"
                )
        if len(set(self.class_names)) < len(self.class_names):
            twice = next(name for name, count in Counter(self.class_names).items() if count > 1)
            raise DataError(f"{self.name}: {twice!r} is the name of more than one class; rename all but one")


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
