"""Every kind of file a data set or images to predict may come in: a valid content, and what reads it."""

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from data.conftest import idx_bytes, make_batch, python2_pickle, write_tar
from fuzz.damage import with_right_sums
from windtunnel.data.cifar import find_cifar
from windtunnel.data.folder import _FolderReader, _list_images
from windtunnel.data.idx import find_idx
from windtunnel.data.named import NAMED_SETS
from windtunnel.data.npz import _NpzReader
from windtunnel.data.parquet import ParquetReader, find_shards
from windtunnel.data.sample_submission import read_sample
from windtunnel.data.spec import DatasetSpec
from windtunnel.data.unlabelled import read_images
from windtunnel.errors import DataError

_MOST_ALLOCATED = 1 << 26
_RANDOM = np.random.default_rng(0)
PIXELS = _RANDOM.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 1])
LIKE = DatasetSpec("any", ("a", "b", "c"), 3, (6, 5))
GREY = DatasetSpec("grey", ("a", "b", "c"), 1, (6, 5))
_TEN = NAMED_SETS["cifar10"].spec
_BATCH = make_batch(_RANDOM.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8), [3, 9], "labels")


@dataclass(frozen=True)
class Form:
    """A kind of file.

    Args:
        content: what is damaged; of a packed file its content, so that no checksum keeps the damage from the reader.
        read: writes a content into an empty folder as such a file, and reads that.
    """

    content: bytes
    read: Callable[[Path, bytes], Any]


def allocate(split, count, shape):
    """Return an array, as the cache does while there is room on its disk."""
    if (needed := count * int(np.prod(shape, dtype=object))) > _MOST_ALLOCATED:
        raise DataError(f"{split} takes {needed} bytes")
    return np.zeros((count, *shape), dtype=np.uint8)


def encode(pixels, kind="PNG", **options):
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.quantize(16) if kind == "GIF" else image).save(stream, kind, **options)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def parquet(images=None, labels=LABELS, **columns):
    """Return a parquet file without compression or checksums."""
    cells = [{"bytes": encode(each), "path": None} for each in PIXELS] if images is None else images
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(cells, kind), "label": pa.array(labels, pa.int64()), **columns}
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, compression="none", row_group_size=3)
    return stream.getvalue()


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def _idx(part, packed):
    def read(folder, content):
        parts = {"images-idx3": idx_bytes(PIXELS[..., 0]), "labels-idx1": idx_bytes(LABELS), part: content}
        for name, data in parts.items():
            path = folder / f"train-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
        return find_idx(folder, GREY).decode(allocate)

    return read


def _cifar_folder(folder, content):
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        (folder / name).write_bytes(content if name == "data_batch_2" else _BATCH)
    return find_cifar(folder, _TEN).decode(allocate)


def tar_of_batches(folder, name="a.tar", mode="w"):
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    return write_tar(folder / name, [(f"cifar-10-batches-py/{each}", _BATCH) for each in names], mode)


def _cifar_archive(suffix, pack):
    def read(folder, content):
        path = folder / f"cifar-10-python{suffix}"
        path.write_bytes(pack(content))
        found = find_cifar(path, _TEN)  # what no longer begins as an archive is none
        return found and found.decode(allocate)

    return read


def _parquet(folder, content):
    (folder / "train-00000-of-00001.parquet").write_bytes(content)
    return ParquetReader(find_shards(folder), "any").decode(allocate)


def _npz(folder, content):
    (folder / "any.npz").write_bytes(content)
    return _NpzReader(folder / "any.npz").decode(allocate)


def _npz_member(member):
    def read(folder, content):
        arrays = {"images": npy(PIXELS), "labels": npy(LABELS), "class_names": npy(np.array(["a", "b", "c"]))}
        return _npz(folder, zipped(**{**arrays, member: content}))

    return read


def _images(suffix, repair=bytes):
    def read(folder, content):
        for number, data in enumerate((content, content)):
            place = folder / "train" / f"class{number}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"one{suffix}").write_bytes(repair(data))
        return _FolderReader(folder, _list_images(folder), "RGB", (4, 4)).decode(allocate)

    return read


def _predicted(name, like=LIKE):
    def read(folder, content):
        (folder / name).write_bytes(content)
        return read_images(folder / name, like=like)

    return read


def _predicted_member(member):
    def read(folder, content):
        (folder / "a.npz").write_bytes(zipped(**{"images": npy(PIXELS), "ids": npy(np.arange(4)), member: content}))
        return read_images(folder / "a.npz", like=LIKE)

    return read


def _sample(folder, content):
    (folder / "sample.csv").write_bytes(content)
    return read_sample(folder / "sample.csv")


def _tar(folder, mode):
    return tar_of_batches(folder, mode=mode).read_bytes()


def make_forms(folder):
    """Return every form by its name; ``folder`` is used to make some."""
    flat = PIXELS.transpose(0, 3, 1, 2).reshape(4, -1)
    return {
        "idx images": Form(idx_bytes(PIXELS[..., 0]), _idx("images-idx3", False)),
        "idx labels": Form(idx_bytes(LABELS), _idx("labels-idx1", False)),
        "idx in gzip": Form(idx_bytes(PIXELS[..., 0]), _idx("images-idx3", True)),
        "cifar batch": Form(_BATCH, _cifar_folder),
        "cifar tar": Form(_tar(folder, "w"), _cifar_archive(".tar", bytes)),
        "cifar tar in gzip": Form(_tar(folder, "w"), _cifar_archive(".tar.gz", gzip.compress)),
        "cifar tar.gz": Form(_tar(folder, "w:gz"), _cifar_archive(".tar.gz", bytes)),
        "parquet": Form(parquet(), _parquet),
        "npz": Form(zipped(images=npy(PIXELS), labels=npy(LABELS)), _npz),
        "npz images": Form(npy(PIXELS), _npz_member("images")),
        "npz labels": Form(npy(LABELS), _npz_member("labels")),
        "npz class names": Form(npy(np.array(["a", "b", "c"])), _npz_member("class_names")),
        "png": Form(encode(PIXELS[0]), _images(".png", with_right_sums)),
        "jpeg": Form(encode(PIXELS[0], "JPEG"), _images(".jpg")),
        "webp": Form(encode(PIXELS[0], "WEBP"), _images(".webp")),
        "bmp": Form(encode(PIXELS[0], "BMP"), _images(".bmp")),
        "gif": Form(encode(PIXELS[0], "GIF"), _images(".gif")),
        "predict npz images": Form(npy(PIXELS), _predicted_member("images")),
        "predict npz ids": Form(npy(np.array(["a", "b", "c", "d"])), _predicted_member("ids")),
        "predict npy": Form(npy(PIXELS), _predicted("a.npy")),
        "predict pickle": Form(pickle.dumps({"data": flat, "ids": [7, 8, 9, 1]}, protocol=4), _predicted("a.pkl")),
        "predict python 2": Form(python2_pickle({"data": flat, "filenames": ["a", "b", "c", "d"]}), _predicted("a")),
        "predict parquet": Form(parquet(id=pa.array(["a", "b", "c", "d"])), _predicted("a.parquet")),
        "predict png": Form(encode(PIXELS[0]), _predicted("a.png")),
        "sample csv": Form(b'id,label\r\n1,cat\r\n"2\n,",dog\r\n', _sample),
    }
