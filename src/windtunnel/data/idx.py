"""IDX files, the form MNIST and Fashion-MNIST were published in, gzipped or not.

Source: http://yann.lecun.com/exdb/mnist/, "the IDX file format": two zero bytes, a type (8 = unsigned byte), the
number of dimensions, each dimension as a big-endian 32-bit number, then the values.
"""

import gzip
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from windtunnel.data.cache import Allocate, Decoded, Labels, Pixels, fill_array
from windtunnel.data.guard import reading
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import DataError

_UNSIGNED_BYTE = 0x08
_MAX_BYTES = 1 << 30
_GZIP_MAGIC = b"\x1f\x8b"
_PREFIXES = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class IdxReader:
    """Reads a pair of IDX files a split; see :class:`windtunnel.data.cache.Reader`.

    Args:
        pairs: files of images and of labels of each split.
        spec: facts about the set.
    """

    pairs: Mapping[str, tuple[Path, Path]]
    spec: DatasetSpec

    @property
    def recipe(self) -> str:
        """Everything but the content that decides the result."""
        return f"idx {self.spec.name} {list(self.pairs)}"

    def files(self) -> Sequence[Path]:
        """Return the files, images before labels."""
        return [path for pair in self.pairs.values() for path in pair]

    def decode(self, allocate: Allocate) -> Decoded:
        """Decode every split."""
        labels: dict[str, Labels] = {}
        for split, (image_path, label_path) in self.pairs.items():
            images = read_idx(image_path, dimensions=3)
            labels[split] = read_idx(label_path, dimensions=1).astype(np.int64)
            if len(images) != len(labels[split]):
                raise DataError(
                    f"{image_path}: {len(images)} images, but {label_path.name} has {len(labels[split])} labels"
                )
            fill_array(allocate, split, images[..., None])
        return Decoded(self.spec, labels)


def find_idx(place: Path, spec: DatasetSpec) -> IdxReader | None:
    """Return the reader of the IDX files at ``place`` or in a sub folder of it, or None when there are none."""
    if not place.is_dir():
        return None
    for folder in (place, *sorted(place.glob("*/"))):
        pairs = {split: _find_pair(folder, prefix) for split, prefix in _PREFIXES.items()}
        found = {split: pair for split, pair in pairs.items() if pair is not None}
        if "train" in found:
            return IdxReader(found, spec)
    return None


def read_idx(path: Path, *, dimensions: int) -> Pixels:
    """Return the array in an IDX file of unsigned bytes.

    Args:
        path: the file, gzipped or not.
        dimensions: how many it must have.

    Raises:
        DataError: not IDX, of another type or number of dimensions, or of another size than it declares.
    """
    with reading(path, "an IDX file"):
        with path.open("rb") as stream:
            zipped = stream.read(2) == _GZIP_MAGIC
        with gzip.open(path) if zipped else path.open("rb") as content:
            zeros, kind, count = struct.unpack(">HBB", content.read(4))
            if zeros != 0 or kind != _UNSIGNED_BYTE:
                raise ValueError("it does not begin as an IDX file of unsigned bytes does")
            if count != dimensions:
                raise ValueError(f"it has {count} dimensions where {dimensions} are expected")
            shape = struct.unpack(f">{count}I", content.read(4 * count))
            size = math.prod(shape)
            if size > _MAX_BYTES:
                raise ValueError(f"it declares {size} bytes, more than this reader takes")
            data = content.read(size + 1)
        if len(data) != size:
            held = "more" if len(data) > size else str(len(data))
            raise ValueError(f"it declares {size} bytes of values and holds {held}")
        return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _find_pair(folder: Path, prefix: str) -> tuple[Path, Path] | None:
    images = _find_file(folder, f"{prefix}-images", 3)
    labels = _find_file(folder, f"{prefix}-labels", 1)
    return (images, labels) if images and labels else None


def _find_file(folder: Path, stem: str, dimensions: int) -> Path | None:
    spellings = [f"{stem}{mark}idx{dimensions}-ubyte{zipped}" for mark in "-." for zipped in ("", ".gz")]
    return next((folder / name for name in spellings if (folder / name).is_file()), None)
