"""Tiny data sets in every public form, written on the spot."""

import gzip
import io
import json
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

CIFAR_FILES = {
    "cifar10": ("cifar-10-batches-py", [f"data_batch_{index}" for index in range(1, 6)], ["test_batch"], "labels"),
    "cifar100": ("cifar-100-python", ["train"], ["test"], "fine_labels"),
}


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Every test has a cache of its own and sees neither the user's data nor the offline switch."""
    for variable in ("WINDTUNNEL_DATA_DIR", "WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def make_images(count, height=32, width=32, channels=3, seed=0):
    shape = (count, height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encode_image(pixels, kind="PNG", mode=None):
    array = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(array)
    if mode:
        image = image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def write_parquet(
    path, images, labels, *, column="image", label_column="label", names=None, as_struct=True, encode=encode_image
):
    """Write one parquet file as the Hugging Face hub does."""
    encoded = [encode(image) for image in images]
    cells = [{"bytes": data, "path": None} for data in encoded] if as_struct else encoded
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())]) if as_struct else pa.binary()
    table = pa.table({column: pa.array(cells, kind), label_column: pa.array(labels, pa.int64())})
    if names:
        feature = {"names": list(names), "_type": "ClassLabel"}
        info = {"info": {"features": {column: {"_type": "Image"}, label_column: feature}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=7)


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: text and bytes alike as byte strings, at protocol 2."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = save_string
    dispatch[str] = save_string


def python2_pickle(value):
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def make_batch(images, labels, label_key, dump=python2_pickle):
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)
    return dump({"batch_label": "a batch", label_key: [int(label) for label in labels], "data": planes})


def cifar_contents(name, train, test, dump=python2_pickle):
    """Return file name -> content of a set's batches; ``train`` and ``test`` are (images, labels)."""
    _, train_names, test_names, label_key = CIFAR_FILES[name]
    contents = {}
    for names, (images, labels) in ((train_names, train), (test_names, test)):
        parts = np.array_split(np.arange(len(images)), len(names))
        for file_name, part in zip(names, parts, strict=True):
            contents[file_name] = make_batch(images[part], np.asarray(labels)[part], label_key, dump)
    return contents


def write_cifar_folder(root, name, train, test):
    folder = root / CIFAR_FILES[name][0]
    folder.mkdir(parents=True)
    for file_name, data in cifar_contents(name, train, test).items():
        (folder / file_name).write_bytes(data)
    return folder


def write_tar(path, members, mode="w:gz"):
    """Write a tar of (name, content) or ready-made TarInfo members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_cifar_archive(path, name, train, test):
    folder = CIFAR_FILES[name][0]
    contents = cifar_contents(name, train, test)
    return write_tar(path, [(f"{folder}/{file_name}", data) for file_name, data in contents.items()])


def idx_bytes(array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx_set(folder, train, test, zipped=True):
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, (images, labels) in (("train", train), ("t10k", test)):
        for name, array in ((f"{prefix}-images-idx3-ubyte", images[..., 0]), (f"{prefix}-labels-idx1-ubyte", labels)):
            data = idx_bytes(np.asarray(array))
            path = folder / (f"{name}.gz" if zipped else name)
            path.write_bytes(gzip.compress(data) if zipped else data)


def write_image_folder(root, splits):
    """Write split -> class -> images as PNG files; the split ``""`` is the folder itself."""
    for split, classes in splits.items():
        for name, images in classes.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for index, image in enumerate(images):
                (folder / f"{index:04}.png").write_bytes(encode_image(image))
    return root


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def sets() -> Callable:
    """Give tests the writers above by name, as attributes."""
    return type("Sets", (), {name: staticmethod(value) for name, value in globals().items() if callable(value)})
