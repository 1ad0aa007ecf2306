"""Parquet files in the Hugging Face layout: one or more shards a split, images encoded in a column."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from windtunnel.core.places import folder_name, name_place, user_path
from windtunnel.data.cache import Allocate, Decoded, Labels, load_cached
from windtunnel.data.classnames import number_classes
from windtunnel.data.decode import CHANNELS, Mode, decode_image, decode_into, detect_mode
from windtunnel.data.guard import reading
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.data.splitnames import SPLIT_NAMES, split_of
from windtunnel.errors import DataError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label", "labels")

# train.parquet, train-00000-of-00002.parquet, train-00000-of-00002-<hash>.parquet
_SHARD = re.compile(r"^(?P<split>[A-Za-z]+)(?:-(?P<index>\d+)-of-(?P<total>\d+)(?:-[0-9a-f]+)?)?\.parquet$")
_BATCH_ROWS = 1024
_MAX_ROW_GROUP_BYTES = 4 << 30
_MAX_IMAGE_BYTES = 1 << 28
_LABEL_BITS = 63


class ParquetSource:
    """A folder of parquet files.

    Args:
        path: the folder, or its parent when the files lie in ``data/`` or in one folder a configuration.
        image_column: column of the images; None takes ``image`` or ``img``.
        label_column: column of the labels; None takes ``label``, ``fine_label`` or ``labels``.
    """

    def __init__(self, *, path: str, image_column: str | None = None, label_column: str | None = None) -> None:
        self.path = user_path(path)
        self.image_column = image_column
        self.label_column = label_column

    def load(self, cache_dir: Path | None = None) -> RawDataset:
        """Return the set (see :class:`windtunnel.data.source.Source`)."""
        shards = find_shards(self.path)
        if not shards:
            raise DataError(
                f"{name_place(self.path)}: no parquet files named like train-00000-of-00001.parquet; "
                f"looked there, in data/ and in its sub folders for the splits {', '.join(SPLIT_NAMES)}"
            )
        reader = ParquetReader(shards, folder_name(self.path), self.image_column, self.label_column)
        return load_cached(reader, cache_dir)


@dataclass(frozen=True)
class ParquetReader:
    """Reads shards; see :class:`windtunnel.data.cache.Reader`.

    Args:
        shards: files of each split, in order.
        name: name of the set.
        image_column: see :class:`ParquetSource`.
        label_column: see :class:`ParquetSource`.
        mode: colour mode; None takes that of the first image.
    """

    shards: Mapping[str, tuple[Path, ...]]
    name: str
    image_column: str | None = None
    label_column: str | None = None
    mode: Mode | None = None

    @property
    def recipe(self) -> str:
        """Everything but the content that decides the result."""
        counts = {split: len(paths) for split, paths in self.shards.items()}
        return f"parquet {self.name} {self.image_column} {self.label_column} {self.mode} {counts}"

    def files(self) -> Sequence[Path]:
        """Return the shards, split by split."""
        return [path for split in sorted(self.shards) for path in self.shards[split]]

    def decode(self, allocate: Allocate) -> Decoded:
        """Decode every split."""
        opened = {split: [open_shard(path) for path in paths] for split, paths in self.shards.items()}
        first = next(iter(opened.values()))[0]
        image_column = pick_column(first, self.image_column, IMAGE_COLUMNS, "image")
        label_column = pick_column(first, self.label_column, LABEL_COLUMNS, "label")
        name, encoded = _first_image(opened, image_column)
        mode = self.mode or detect_mode(encoded, name)
        height, width, _ = decode_image(encoded, name, mode, None).shape
        labels: dict[str, Labels] = {}
        for split, shards in opened.items():
            count = sum(shard.rows for shard in shards)
            out = allocate(split, count, (height, width, CHANNELS[mode]))
            found: list[int] = []
            done = decode_into(out, _rows(shards, image_column, label_column, found), mode, None)
            if done != count:
                raise DataError(f"{shards[0].path}: {split} declares {count} images and holds {done}")
            labels[split] = np.asarray(found, dtype=np.int64)
        names = _class_names(opened, label_column) or number_classes(labels, first.path)
        return Decoded(DatasetSpec(self.name, names, CHANNELS[mode], (height, width)), labels)


@dataclass(frozen=True)
class Shard:
    """An open parquet file."""

    path: Path
    file: Any

    @property
    def rows(self) -> int:
        """Rows the footer declares."""
        return int(self.file.metadata.num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield the rows, some at a time; never of two row groups, whose dictionaries Arrow cannot join."""
        for group in range(self.file.metadata.num_row_groups):
            yield from self.file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=list(columns))

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.file.schema_arrow.names)

    def class_names(self, column: str) -> tuple[str, ...]:
        """Return the names the Hugging Face metadata gives ``column``'s classes, or ()."""
        text = (self.file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
        with reading(self.path, "Hugging Face schema metadata"):
            feature = json.loads(text).get("info", {}).get("features", {}).get(column, {})
            names = feature.get("names", []) if feature.get("_type") == "ClassLabel" else []
            return tuple(str(name) for name in names)


def open_shard(path: Path) -> Shard:
    """Open a parquet file and check what its footer declares.

    Raises:
        DataError: not parquet, cut short, or a row group declares an absurd size.
    """
    with parquet_errors(path):
        file = pq.ParquetFile(path, page_checksum_verification=True)
        metadata = file.metadata
        if repeating := _repeating_columns(metadata):
            file = pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=repeating)
        sizes = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
    if max(sizes, default=0) > _MAX_ROW_GROUP_BYTES or metadata.num_rows < 0:
        raise DataError(f"{path}: a row group declares {max(sizes)} bytes, more than this reader takes")
    return Shard(path, file)


def _repeating_columns(metadata: Any) -> list[str]:
    """Return the columns of bytes or text with a dictionary, whose entries are kept once however often they come.

    Unfolded, a kilobyte that names one large entry a million times would be a terabyte.
    """
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    chunks = (group.column(index) for group in groups for index in range(group.num_columns))
    return sorted({chunk.path_in_schema for chunk in chunks if _repeats(chunk)})


def _repeats(chunk: Any) -> bool:
    return bool(chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page)


def find_shards(path: Path) -> dict[str, tuple[Path, ...]]:
    """Return the parquet files of each split under ``path``, or {} when there are none.

    Looks in ``path``, then ``path/data``, then in each sub folder, then one folder deeper for
    ``<configuration>/<split>/0000.parquet``; the first place that has any decides.
    """
    if path.is_file() and path.suffix == ".parquet":
        return {split_of(_split_part(path)) or "train": (path,)}
    if not path.is_dir():
        return {}
    folders = [path, path / "data", *sorted(child for child in path.iterdir() if child.is_dir())]
    for folder in folders:
        if found := _shards_in(folder):
            return found
    return {}


def _shards_in(folder: Path) -> dict[str, tuple[Path, ...]]:
    named: dict[str, list[Path]] = {}
    for path in _parquet_files(folder):
        named.setdefault(_split_part(path), []).append(path)
    if not any(split_of(name) for name in named):
        named = {child.name: _parquet_files(child) for child in sorted(folder.glob("*/"))}
    found: dict[str, tuple[Path, ...]] = {}
    for split in SPLIT_NAMES:
        spellings = [name for name, paths in named.items() if paths and split_of(name) == split]
        if len(spellings) > 1:
            raise DataError(f"{folder}: {' and '.join(spellings)} both mean {split}; keep one of them")
        if spellings:
            found[split] = tuple(named[spellings[0]])
            _check_whole(found[split])
    return found


def _parquet_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.parquet") if path.is_file())


def _check_whole(shards: Sequence[Path]) -> None:
    """Raise :class:`DataError` when the shards' own numbers say that some are missing or come twice."""
    matches = [match for path in shards if (match := _SHARD.match(path.name)) and match["total"]]
    if not matches:
        return
    total, there = int(matches[0]["total"]), [int(match["index"]) for match in matches]
    if sorted(there) != list(range(total)) or len(matches) != len(shards):
        names = ", ".join(path.name for path in shards[:4]) + (" ..." if len(shards) > 4 else "")
        raise DataError(
            f"{shards[0].parent}: {matches[0]['split']} should be {total} shards numbered from 0, and there are "
            f"{names}; fetch or copy them again"
        )


def _split_part(path: Path) -> str:
    match = _SHARD.match(path.name)
    return match["split"] if match else ""


def pick_column(shard: Shard, wanted: str | None, usual: Sequence[str], what: str) -> str:
    """Return ``wanted``, or the first of ``usual`` that ``shard`` has.

    Raises:
        DataError: it has none of them; ``what`` says what was looked for.
    """
    names = (wanted,) if wanted else usual
    for name in names:
        if name in shard.columns:
            return name
    raise DataError(
        f"{shard.path}: no {what} column {' or '.join(names)}; it has {', '.join(shard.columns)}: "
        f"set data.source.{what}_column"
    )


def _class_names(opened: Mapping[str, Sequence[Shard]], column: str) -> tuple[str, ...]:
    """Return the class names that the files give, or () where none does.

    Raises:
        DataError: two files number the classes differently.
    """
    shards = [shard for part in opened.values() for shard in part]
    named = [(shard.path, names) for shard in shards if (names := shard.class_names(column))]
    for path, names in named[1:]:
        if names != named[0][1]:
            raise DataError(
                f"{path}: its labels are numbers of other classes than those in {named[0][0]}, by the names that both "
                "give them; write all files with the same names in the same order"
            )
    return named[0][1] if named else ()


def _first_image(opened: Mapping[str, Sequence[Shard]], column: str) -> tuple[str, bytes]:
    for shards in opened.values():
        for shard in shards:
            for name, encoded, _ in iter_rows(shard, column, None):
                return name, encoded
    raise DataError(f"{next(iter(opened.values()))[0].path}: the data set is empty; it has no images")


def _rows(
    shards: Sequence[Shard], image_column: str, label_column: str, labels: list[int]
) -> Iterator[tuple[str, bytes]]:
    """Yield (name, encoded image) and append each image's label to ``labels``."""
    for shard in shards:
        for name, encoded, label in iter_rows(shard, image_column, label_column):
            labels.append(label)
            yield name, encoded


def iter_rows(shard: Shard, image_column: str, label_column: str | None) -> Iterator[tuple[str, bytes, int]]:
    """Yield (name, encoded image, label) of each row; the label is 0 where ``label_column`` is None.

    Raises:
        DataError: a column is missing, or a cell holds no image or no label.
    """
    columns = [name for name in (image_column, label_column) if name]
    missing = [name for name in columns if name not in shard.columns]
    if missing:
        raise DataError(f"{shard.path}: no column {missing[0]!r}; it has {', '.join(shard.columns)}")
    row = 0
    with parquet_errors(shard.path):
        for batch in shard.batches(columns):
            images = _encoded_images(batch.column(image_column), shard.path)
            labels = _cells(batch.column(label_column)) if label_column else [0] * batch.num_rows
            for encoded, label in zip(images, labels, strict=True):
                name = f"{shard.path}, row {row}"
                _check_cells(encoded, label, name)
                yield name, encoded, label
                row += 1


def _check_cells(encoded: Any, label: Any, name: str) -> None:
    if not isinstance(encoded, bytes):
        raise DataError(f"{name}: holds no image bytes but {type(encoded).__name__}")
    if len(encoded) > _MAX_IMAGE_BYTES:
        raise DataError(f"{name}: an image of {len(encoded)} bytes is more than this reader takes")
    if type(label) is not int or label.bit_length() > _LABEL_BITS:
        raise DataError(f"{name}: the label is {label!r:.80}, not a whole number")


def _encoded_images(column: Any, path: Path) -> Iterator[Any]:
    """Return the encoded images of a column of bytes or of struct{bytes, path}, each made when it is asked for."""
    if pa.types.is_struct(column.type):
        if column.type.get_field_index("bytes") < 0:
            raise DataError(f"{path}: the image column is {column.type}, without a field 'bytes'")
        column = column.field("bytes")
    return _cells(column)


def _cells(column: Any) -> Iterator[Any]:
    return (cell.as_py() for cell in column)


@contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """Raise :class:`DataError` for what pyarrow raises while reading ``path``."""
    with reading(path, "a parquet file"):
        try:
            yield
        except pa.ArrowException as error:
            raise ValueError(str(error)) from error
