"""The cache of decoded images: decoded once, memory-mapped from then on.

``<cache>/sets/<key>/`` holds ``meta.json`` and, for each split, ``<split>.images.npy`` (n h w c, uint8) and
``<split>.labels.npy`` (n, int64). The key is a hash of the content of the source's files and of how they are
decoded. So that a later load need not read the files to know their content, ``<cache>/known/`` remembers the
content digest of each list of (path, size, mtime in nanoseconds): a file changed without a change of size or
time is not noticed; delete the cache folder then.

A set is built under a lock in a folder of its own and renamed into place, so a crash leaves nothing that is
taken for a set, and two processes that want the same set decode it once.
"""

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from windtunnel.core.files import write_text
from windtunnel.core.places import cache_root
from windtunnel.core.types import ImageBytes
from windtunnel.data.guard import reading
from windtunnel.data.locks import locked
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.errors import DataError

FORMAT_VERSION = 1
_FILES_AT_ONCE = 1024

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
# (split, number of images, (height, width, channels)) -> array of (n h w c) to be filled
Allocate = Callable[[str, int, tuple[int, int, int]], Pixels]


@dataclass(frozen=True)
class Decoded:
    """What a reader found besides the pixels it wrote: the spec, and each split's labels."""

    spec: DatasetSpec
    labels: Mapping[str, Labels]


class Reader(Protocol):
    """One file form of a data set."""

    @property
    def recipe(self) -> str:
        """Everything but the files' content that decides the result, as text."""

    def files(self) -> Sequence[Path]:
        """Return the files read, in a fixed order."""

    def decode(self, allocate: Allocate) -> Decoded:
        """Decode the files into arrays from ``allocate``."""


def load_cached(reader: Reader, cache_dir: Path | None = None) -> RawDataset:
    """Return the set ``reader`` reads, from the cache when it is there.

    Raises:
        DataError: the files are damaged, or the cache folder cannot be written.
    """
    root = cache_dir or cache_root()
    try:
        folder = root / "sets" / _cache_key(reader, root)
        return _open_set(folder) or _build_set(reader, folder)
    except OSError as error:
        raise DataError(
            f"cannot use the data cache {root}: {error}; free some space or set XDG_CACHE_HOME to a folder "
            "that can be written"
        ) from error


def fill_array(allocate: Allocate, split: str, images: Pixels) -> None:
    """Copy whole ``images`` (n h w c) into a new array of ``split``."""
    count, height, width, channels = images.shape
    allocate(split, count, (height, width, channels))[:] = images


def _cache_key(reader: Reader, root: Path) -> str:
    content = _content_digest(reader.files(), root / "known")
    return hashlib.sha256(os.fsencode(f"{FORMAT_VERSION}\n{reader.recipe}\n{content}")).hexdigest()[:32]


def _content_digest(files: Sequence[Path], known: Path) -> str:
    folders = {folder: str(folder.resolve()) for folder in {path.parent for path in files}}
    stats = [(os.path.join(folders[path.parent], path.name), path.stat()) for path in files]
    listing = json.dumps([[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats])
    record = known / hashlib.sha256(listing.encode()).hexdigest()[:32]
    if record.is_file() and len(digest := record.read_text(encoding="ascii").strip()) == 64:
        return digest
    total = hashlib.sha256()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for start in range(0, len(files), _FILES_AT_ONCE):
            for part in pool.map(_digest_file, files[start : start + _FILES_AT_ONCE]):
                total.update(part)
    known.mkdir(parents=True, exist_ok=True)
    write_text(record, total.hexdigest())
    return total.hexdigest()


def _digest_file(path: Path) -> bytes:
    with reading(path, "a data file"), path.open("rb") as stream:
        return path.name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest()


def _open_set(folder: Path) -> RawDataset | None:
    """Return the set in ``folder``, or None when there is none or it is damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if meta["version"] != FORMAT_VERSION:
            return None
        spec = _spec_from_json(meta["spec"])
        splits = {split: _open_split(folder, split, count, spec) for split, count in meta["splits"].items()}
        return RawDataset(spec, splits, meta["digest"])
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError, EOFError):
        return None


def _open_split(folder: Path, split: str, count: int, spec: DatasetSpec) -> ImageBytes:
    # copy-on-write: torch wants writable memory, and a stray write must not reach the file
    images = np.load(folder / f"{split}.images.npy", mmap_mode="c", allow_pickle=False)
    labels = np.load(folder / f"{split}.labels.npy", allow_pickle=False)
    if images.shape != (count, *spec.image_size, spec.channels) or images.dtype != np.uint8:
        raise ValueError(f"{split}: the array is {images.dtype} {images.shape}, not what meta.json says")
    if labels.shape != (count,) or labels.dtype != np.int64:
        raise ValueError(f"{split}: the labels are {labels.dtype} {labels.shape}, not what meta.json says")
    return to_image_bytes(images, labels)


def to_image_bytes(images: Pixels, labels: Labels) -> ImageBytes:
    """Return arrays of (n h w c) pixels and (n) labels as tensors over the same memory."""
    return ImageBytes(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels))


def _build_set(reader: Reader, folder: Path) -> RawDataset:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if (done := _open_set(folder)) is not None:  # another process built it while we waited
            return done
        building = folder.with_suffix(".building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        try:
            _write_set(reader, building)
            if folder.exists():
                shutil.rmtree(folder)
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    done = _open_set(folder)
    if done is None:
        raise DataError(f"the data cache {folder} cannot be read back after writing it; check the disk")
    return done


def _write_set(reader: Reader, folder: Path) -> None:
    decoded = reader.decode(partial(_allocate, folder))
    for split, labels in decoded.labels.items():
        np.save(folder / f"{split}.labels.npy", np.ascontiguousarray(labels, dtype=np.int64))
    meta = {
        "version": FORMAT_VERSION,
        "recipe": reader.recipe,
        "spec": asdict(decoded.spec),
        "splits": {split: len(labels) for split, labels in decoded.labels.items()},
        "digest": _digest_arrays(folder, sorted(decoded.labels)),
    }
    write_text(folder / "meta.json", json.dumps(meta, indent=1))


def _allocate(folder: Path, split: str, count: int, shape: tuple[int, int, int]) -> Pixels:
    """Return a new memory-mapped array; the disk's space is taken now, since a page fault cannot say it is full."""
    path = folder / f"{split}.images.npy"
    needed, free = count * math.prod(shape), shutil.disk_usage(folder).free
    try:
        if needed > free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, *shape))
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise DataError(
            f"{folder.parent}: the decoded images of {split} take {needed:,} bytes and {free:,} are free: {error}; "
            "free some space, set XDG_CACHE_HOME to a folder on a larger disk, or set a smaller "
            "data.source.image_size where the source has it"
        ) from error
    return array


def _digest_arrays(folder: Path, splits: Sequence[str]) -> str:
    total = hashlib.sha256()
    for split in splits:
        for part in ("images", "labels"):
            array = np.load(folder / f"{split}.{part}.npy", mmap_mode="r", allow_pickle=False)
            total.update(f"{split}.{part} {array.dtype} {array.shape}\n".encode())
            if array.size:
                total.update(memoryview(array).cast("B"))
    return total.hexdigest()


def _spec_from_json(fields: dict[str, Any]) -> DatasetSpec:
    height, width = fields["image_size"]
    return DatasetSpec(
        name=fields["name"],
        class_names=tuple(fields["class_names"]),
        channels=fields["channels"],
        image_size=(height, width),
        mean=tuple(fields["mean"]) if fields["mean"] else None,
        std=tuple(fields["std"]) if fields["std"] else None,
    )
