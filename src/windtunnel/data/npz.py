"""Arrays in an ``.npz`` file."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from windtunnel.core.places import name_place, user_path
from windtunnel.data.cache import Allocate, Decoded, Labels, Pixels, load_cached
from windtunnel.data.classnames import number_classes
from windtunnel.data.guard import reading
from windtunnel.data.npy import Header, read_header, read_into, read_values, stored_bytes
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.data.splitnames import SPLIT_NAMES
from windtunnel.errors import DataError

_MAX_LABELS = 1 << 26
_MAX_NAMES_BYTES = 1 << 24


class NpzSource:
    """An ``.npz`` file of images and labels; no pickled object in it is ever loaded.

    Images are uint8 of (n h w), (n h w 1) or (n h w 3); labels are whole numbers of (n). A set of one split has
    ``images`` and ``labels``; several have ``train_images``, ``train_labels``, ``test_images``, ... (``val_`` and
    ``validation_`` alike), or ``x_train``, ``y_train``, ...; plain ``images`` are the training ones.
    ``class_names`` is optional text.

    Args:
        path: the file.
    """

    def __init__(self, *, path: str) -> None:
        self.path = user_path(path)

    def load(self, cache_dir: Path | None = None) -> RawDataset:
        """Return the set (see :class:`windtunnel.data.source.Source`)."""
        if not self.path.is_file():
            raise DataError(f"{name_place(self.path)}: no such file; data.source.path must be an .npz file")
        return load_cached(_NpzReader(self.path), cache_dir)


@dataclass(frozen=True)
class _NpzReader:
    path: Path

    @property
    def recipe(self) -> str:
        return f"npz {self.path.stem}"

    def files(self) -> Sequence[Path]:
        return (self.path,)

    def decode(self, allocate: Allocate) -> Decoded:
        labels: dict[str, Labels] = {}
        shapes: set[tuple[int, int, int]] = set()
        with reading(self.path, "an .npz file"), zipfile.ZipFile(self.path) as archive:
            members = _pair_members(archive.namelist(), self.path)
            for split, (image_name, label_name) in members.items():
                out = self._read_images(archive, image_name, split, allocate)
                shapes.add(out.shape[1:])
                labels[split] = self._read_labels(archive, label_name)
                if len(out) != len(labels[split]):
                    counts = f"{len(out)} {image_name}, but {len(labels[split])} {label_name}"
                    raise DataError(f"{self.path}: {counts}")
            if len(shapes) > 1:
                raise DataError(f"{self.path}: the splits have images of different sizes: {sorted(shapes)}")
            names = self._read_class_names(archive) or number_classes(labels, self.path)
        height, width, channels = shapes.pop()
        return Decoded(DatasetSpec(self.path.stem, names, channels, (height, width)), labels)

    def _read_images(self, archive: zipfile.ZipFile, name: str, split: str, allocate: Allocate) -> Pixels:
        with archive.open(f"{name}.npy") as stream:
            header = _read_header(archive, stream, name)
            shape = (*header.shape, 1) if len(header.shape) == 3 else header.shape
            if header.dtype != np.uint8 or len(shape) != 4 or shape[3] not in (1, 3) or header.order != "C":
                raise DataError(
                    f"{self.path}: {name} is {header.dtype} {header.shape}, order {header.order}; images must be "
                    "uint8 of (n h w), (n h w 1) or (n h w 3) in C order"
                )
            out = allocate(split, shape[0], (shape[1], shape[2], shape[3]))
            read_into(stream, out, name)
        return out

    def _read_labels(self, archive: zipfile.ZipFile, name: str) -> Labels:
        with archive.open(f"{name}.npy") as stream:
            header = _read_header(archive, stream, name)
            if header.dtype.kind not in "iu" or len(header.shape) != 1 or header.shape[0] > _MAX_LABELS:
                raise DataError(
                    f"{self.path}: {name} is {header.dtype} {header.shape}; labels must be whole numbers of (n)"
                )
            values = read_values(stream, header, name)
        if len(values) and int(values.max()) > np.iinfo(np.int64).max:
            raise DataError(f"{self.path}: {name} holds the label {values.max()}; labels are 0 .. classes - 1")
        return values.astype(np.int64)

    def _read_class_names(self, archive: zipfile.ZipFile) -> tuple[str, ...]:
        if "class_names.npy" not in archive.namelist():
            return ()
        with archive.open("class_names.npy") as stream:
            header = _read_header(archive, stream, "class_names")
            if header.dtype.kind != "U" or len(header.shape) != 1:
                raise DataError(
                    f"{self.path}: class_names is {header.dtype} {header.shape}; it must be text of (classes)"
                )
            if header.num_bytes > _MAX_NAMES_BYTES:
                raise ValueError(f"class_names takes {header.num_bytes} bytes, more than names of classes do")
            return tuple(str(name) for name in read_values(stream, header, "class_names"))


def _pair_members(members: Sequence[str], path: Path) -> dict[str, tuple[str, str]]:
    """Return the names of each split's images and labels."""
    arrays = {name.removesuffix(".npy") for name in members if name.endswith(".npy")}
    found: dict[str, tuple[str, str]] = {}
    for split, names in SPLIT_NAMES.items():
        spellings = [(f"{name}_images", f"{name}_labels") for name in names]
        spellings += [(f"x_{name}", f"y_{name}") for name in names]
        spellings += [("images", "labels")] if split == "train" else []
        pairs = [pair for pair in spellings if arrays.issuperset(pair)]
        if len(pairs) > 1:
            raise DataError(f"{path}: {pairs[0][0]} and {pairs[1][0]} both mean {split}; keep one of them")
        if pairs:
            found[split] = pairs[0]
    if not found:
        raise DataError(
            f"{path}: holds {', '.join(sorted(arrays)) or 'no arrays'}; it needs images and labels, or "
            "train_images and train_labels"
        )
    return found


def _read_header(archive: zipfile.ZipFile, stream: IO[bytes], name: str) -> Header:
    return read_header(stream, name, stored_bytes(archive.getinfo(f"{name}.npy")))
