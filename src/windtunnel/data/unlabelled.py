"""Images to predict: a file, a folder of files, parquet or an array, without labels."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from jaxtyping import UInt8
from torch import Tensor

from windtunnel.data.cache import Pixels
from windtunnel.data.decode import OTHER_SUFFIXES, SUFFIXES, Mode, Row, decode_image, read_image, refuse_other_kinds
from windtunnel.data.parquet import (
    IMAGE_COLUMNS,
    Shard,
    find_shards,
    iter_rows,
    open_shard,
    parquet_errors,
    pick_column,
)
from windtunnel.data.spec import DatasetSpec
from windtunnel.data.unlabelled_arrays import ARRAY_READERS, LONGEST_NAME, arrange_images, as_names, find_arrays
from windtunnel.errors import DataError

ID_COLUMNS = ("id", "ids", "filename", "filenames", "file_name")
_SHOWN = 5
_IMAGES = (*SUFFIXES, *OTHER_SUFFIXES)
_LINE_BREAKS = frozenset("\r\n\0")


@dataclass(frozen=True)
class UnlabelledImages:
    """Images and what to call each of them.

    Args:
        images: uint8, in the order of ``names``.
        names: the id each image carries, its file's path within the folder, or its place counted from 0; no two alike.
        are_files: names are paths of image files.
    """

    images: UInt8[Tensor, "n c h w"]
    names: tuple[str, ...]
    are_files: bool = False


def read_images(path: Path, *, like: DatasetSpec, resize: bool = False) -> UnlabelledImages:
    """Read images that carry no labels, or whose labels are not wanted.

    Takes an image; a folder of images; ``.npz`` or a pickled dict with ``images`` or ``data`` and, where there are
    any, ``ids``, ``id`` or ``filenames``; ``.npy``; ``.parquet`` or a folder of one split of it. Arrays are uint8 of
    (n h w), (n h w c), (n c h w) or CIFAR's rows (n c*h*w); nothing in a pickle is run.

    Args:
        path: the file or folder.
        like: the data set the model was trained on, which sets size and channels.
        resize: bring image files of another size to the one trained on, as the training data was; arrays never are.

    Raises:
        DataError: there are no images, one is damaged or of another size, or two carry one id.
    """
    if not path.exists():
        raise DataError(f"no file or folder {path}; give images, an .npz, .npy, .parquet or a pickled dict")
    found = _read_folder(path, like, resize) if path.is_dir() else _read_file(path, like, resize)
    _check_names(found.names, path)
    return found


def _check_names(names: Sequence[str], path: Path) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: {len(repeated)} ids stand for more than one image: {', '.join(repeated[:_SHOWN])}")
    foreign = [
        name for name in names if _LINE_BREAKS.intersection(name) or name.encode("utf-8", "replace").decode() != name
    ]
    if foreign:
        raise DataError(f"{path}: {foreign[0]!r} is no name for a row of a CSV; rename it")


def _read_folder(path: Path, like: DatasetSpec, resize: bool) -> UnlabelledImages:
    named = {file: file.relative_to(path) for file in path.rglob("*") if file.suffix.lower() in _IMAGES}
    files = sorted(file for file, name in named.items() if not (_is_hidden(name) or file.is_dir()))
    if files:
        refuse_other_kinds(files)
        return _read_files(files, [str(named[file]) for file in files], like, resize)
    splits = find_shards(path)
    if not splits:
        raise DataError(f"{path} holds no image; looked for {', '.join(SUFFIXES)} and for parquet files")
    if len(splits) > 1:
        raise DataError(f"{path} holds the splits {', '.join(splits)}; name the parquet file to predict")
    return _read_parquet(next(iter(splits.values())), like, resize)


def _is_hidden(name: Path) -> bool:
    """Say whether a file, or a folder it lies in, is one that folders of training images leave out too."""
    return any(part.startswith(".") for part in name.parts)


def _read_file(path: Path, like: DatasetSpec, resize: bool) -> UnlabelledImages:
    if not path.is_file():
        raise DataError(f"{path} is no regular file; give images, an .npz, .npy, .parquet or a pickled dict")
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return _read_files([path], [path.name], like, resize)
    if suffix == ".parquet":
        return _read_parquet((path,), like, resize)
    if suffix not in ARRAY_READERS:
        known = ", ".join(name for name in (*SUFFIXES, ".parquet", *ARRAY_READERS) if name)
        raise DataError(f"{path}: files that end with {suffix!r} are not read; give one of {known}")
    images, ids = find_arrays(ARRAY_READERS[suffix](path), path)
    pixels = arrange_images(images, path, like)
    return UnlabelledImages(_to_tensor(pixels), as_names(ids, len(pixels), path))


def _read_files(files: list[Path], names: list[str], like: DatasetSpec, resize: bool) -> UnlabelledImages:
    rows: list[Row] = [(str(file), file) for file in files]
    return UnlabelledImages(_decode(rows, len(rows), like, resize), tuple(names), are_files=True)


def _read_parquet(paths: Sequence[Path], like: DatasetSpec, resize: bool) -> UnlabelledImages:
    shards = [open_shard(path) for path in paths]
    column = pick_column(shards[0], None, IMAGE_COLUMNS, "image")
    count = sum(shard.rows for shard in shards)
    if count == 0:
        raise DataError(f"{paths[0]} holds no image; it has no rows")
    rows = ((name, encoded) for shard in shards for name, encoded, _ in iter_rows(shard, column, None))
    images = _decode(rows, count, like, resize)
    ids = [value for shard in shards for value in _read_ids(shard)]
    return UnlabelledImages(images, as_names(ids or None, count, paths[0]))


def _read_ids(shard: Shard) -> list[object]:
    column = next((name for name in ID_COLUMNS if name in shard.columns), None)
    if column is None:
        return []
    with parquet_errors(shard.path):
        ids = (cell.as_py() for batch in shard.batches([column]) for cell in batch.column(column))
        return [_short(value) for value in ids]


def _short(value: object) -> object:
    if isinstance(value, str | bytes) and len(value) > LONGEST_NAME:
        raise ValueError(f"an id of {len(value)} characters is no name of an image")
    return value


def _decode(rows: Iterable[Row], count: int, like: DatasetSpec, resize: bool) -> UInt8[Tensor, "n c h w"]:
    """Return the ``count`` images of ``rows``, which may be a generator so that their files are not held at once."""
    mode: Mode = "RGB" if like.channels == 3 else "L"
    shape = (count, *like.image_size, like.channels)
    if (needed := math.prod(shape)) > (free := int(psutil.virtual_memory().available)):
        raise DataError(
            f"{count:,} images take {needed:,} bytes of memory and {free:,} are free; predict fewer at once"
        )
    out: Pixels = np.empty(shape, dtype=np.uint8)
    done = 0
    for place, (name, held) in enumerate(rows):
        if place == count:
            raise DataError(f"{name}: more images than the {count} the file declares")
        encoded = read_image(held) if isinstance(held, Path) else held
        pixels = decode_image(encoded, name, mode, like.image_size if resize else None)
        wanted = out.shape[1:]
        if pixels.shape != wanted:
            raise DataError(
                f"{name} is {pixels.shape} (height, width, channels); the model was trained on {wanted}: resize it"
            )
        out[place] = pixels
        done = place + 1
    if done < count:
        raise DataError(f"the files declare {count} images and hold {done}; fetch or copy them again")
    return _to_tensor(out)


def _to_tensor(pixels: Pixels) -> UInt8[Tensor, "n c h w"]:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)
