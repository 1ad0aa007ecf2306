"""CIFAR-10 and CIFAR-100 as published: pickled batches in a folder or in a tar.gz.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "python version".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from windtunnel.data.archive import is_archive, read_members
from windtunnel.data.cache import Allocate, Decoded, Labels, Pixels
from windtunnel.data.guard import reading
from windtunnel.data.pickled import load_pickled_arrays
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import DataError

_MAX_BATCH_BYTES = 1 << 28


@dataclass(frozen=True)
class BatchLayout:
    """How one of the two sets names its batches.

    Args:
        batches: file names of each split.
        label_key: key of the labels in a batch.
    """

    batches: Mapping[str, tuple[str, ...]]
    label_key: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every file name, in order."""
        return tuple(name for names in self.batches.values() for name in names)


LAYOUTS: Mapping[str, BatchLayout] = {
    "cifar10": BatchLayout(
        {"train": tuple(f"data_batch_{index}" for index in range(1, 6)), "test": ("test_batch",)}, "labels"
    ),
    "cifar100": BatchLayout({"train": ("train",), "test": ("test",)}, "fine_labels"),
}
_ARCHIVES = ("*.tar.gz", "*.tgz", "*.tar")


@dataclass(frozen=True)
class CifarReader:
    """Reads pickled batches; see :class:`windtunnel.data.cache.Reader`.

    Args:
        paths: the archive, or the batch files in order.
        spec: facts about the set; class names and size come from here.
        layout: how its batches are named.
    """

    paths: tuple[Path, ...]
    spec: DatasetSpec
    layout: BatchLayout

    @property
    def recipe(self) -> str:
        """Everything but the content that decides the result."""
        return f"cifar batches {self.spec.name}"

    def files(self) -> Sequence[Path]:
        """Return the files read."""
        return self.paths

    def decode(self, allocate: Allocate) -> Decoded:
        """Decode every batch."""
        labels: dict[str, Labels] = {}
        for split, contents in self._read().items():
            batches = [self._decode_batch(name, data) for name, data in contents]
            out = allocate(split, sum(len(part) for _, part in batches), (*self.spec.image_size, self.spec.channels))
            np.concatenate([images for images, _ in batches], out=out)
            labels[split] = np.concatenate([part for _, part in batches])
        return Decoded(self.spec, labels)

    def _read(self) -> dict[str, list[tuple[str, bytes]]]:
        """Return (place, content) of each split's batches."""
        if len(self.paths) == 1 and is_archive(self.paths[0]):
            archive = self.paths[0]
            members = read_members(archive, self.layout.names)
            if missing := [name for name in self.layout.names if name not in members]:
                raise DataError(f"{archive}: no member {', '.join(missing)}; it is cut short or another archive")
            found = {name: (f"{archive}, member {name}", data) for name, data in members.items()}
        else:
            found = {path.name: (str(path), _read_bounded(path)) for path in self.paths}
        return {split: [found[name] for name in names] for split, names in self.layout.batches.items()}

    def _decode_batch(self, place: str, data: bytes) -> tuple[Pixels, Labels]:
        with reading(place, "a pickled CIFAR batch"):
            batch = load_pickled_arrays(data)
            images = self._images(batch["data"])
            labels = _labels(batch[self.layout.label_key])
            if len(images) != len(labels):
                raise ValueError(f"{len(images)} images but {len(labels)} labels")
        return images, labels

    def _images(self, data: Any) -> Pixels:
        if not isinstance(data, np.ndarray):  # lists that hold each other would unfold without end
            raise TypeError(f"the images are {type(data).__name__}, no array")
        height, width = self.spec.image_size
        planes = data.reshape(-1, self.spec.channels, height, width)
        return planes.transpose(0, 2, 3, 1)


def find_cifar(place: Path, spec: DatasetSpec) -> CifarReader | None:
    """Return the reader of the batches at ``place``, or None when there are none.

    Args:
        place: an archive, a folder of batches, or the folder that holds either.
        spec: the set; one of :data:`LAYOUTS` by name.
    """
    layout = LAYOUTS[spec.name]
    if is_archive(place):
        return CifarReader((place,), spec, layout)
    if not place.is_dir():
        return None
    for folder in (place, *sorted(place.glob("*/"))):
        batches = tuple(folder / name for name in layout.names)
        if all(path.is_file() for path in batches):
            return CifarReader(batches, spec, layout)
    archives = sorted(path for pattern in _ARCHIVES for path in place.glob(pattern) if is_archive(path))
    own = [path for path in archives if _has_hundred_classes(path) == (spec.name == "cifar100")]
    return CifarReader(((own or archives)[0],), spec, layout) if archives else None


def _has_hundred_classes(archive: Path) -> bool:
    """Say by its name which of the two sets, which often lie side by side, an archive holds."""
    return "100" in archive.name


def _read_bounded(path: Path) -> bytes:
    if (size := path.stat().st_size) > _MAX_BATCH_BYTES:
        raise DataError(f"{path}: {size} bytes is larger than any CIFAR batch")
    return path.read_bytes()


def _labels(values: Any) -> Labels:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise TypeError("the labels are no list of whole numbers")
    return np.asarray(values, dtype=np.int64)
