"""Files made to harm: bombs, names that lead elsewhere, devices, pickles that do things."""

import io
import os
import pickle
import struct
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.conftest import make_batch, write_tar
from fuzz.damage import list_tower, tuple_tower
from fuzz.forms import LABELS, LIKE, PIXELS, allocate, encode, npy, parquet, tar_of_batches, zipped
from windtunnel.data.archive import read_members
from windtunnel.data.cifar import LAYOUTS, CifarReader
from windtunnel.data.decode import read_image
from windtunnel.data.folder import ImageFolderSource
from windtunnel.data.named import NAMED_SETS
from windtunnel.data.npz import NpzSource, _NpzReader
from windtunnel.data.parquet import ParquetReader
from windtunnel.data.pickled import _STAND_INS, load_pickled_arrays
from windtunnel.data.spec import DatasetSpec
from windtunnel.data.unlabelled import read_images
from windtunnel.errors import DataError, UsageError

_BOMB = 96 << 20  # what one would unfold to
_BOUND = 48 << 20
_STATUS = Path("/proc/self/status")


def memory(field):
    lines = _STATUS.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


@contextmanager
def little_memory():
    """Fail when the block takes more than a bomb's share of memory."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is held now
    except OSError:
        pytest.skip("the kernel does not count this process's memory anew")
    before = memory("VmRSS:")
    yield
    assert memory("VmHWM:") - before < _BOUND


def deflated(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def bomb_behind(header):
    return header + bytes(_BOMB - len(header))


LONG_HEADER = b"\x93NUMPY\x02\x00" + struct.pack("<I", _BOMB - 12)


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("labels", lambda: bomb_behind(npy(LABELS))),
        ("labels", lambda: LONG_HEADER + b" " * (_BOMB - 12)),
        ("images", lambda: LONG_HEADER + b" " * (_BOMB - 12)),
        ("class_names", lambda: npy(np.zeros(_BOMB // 4, "U1"))),
    ],
    ids=["behind the labels", "header of labels", "header of images", "class names"],
)
def test_a_bomb_in_an_npz_is_not_unfolded(tmp_path, member, content):
    path = deflated(tmp_path / "a.npz", **{"images": npy(PIXELS), "labels": npy(LABELS), member: content()})
    assert path.stat().st_size < _BOMB // 100
    with little_memory():
        try:
            _NpzReader(path).decode(allocate)
        except DataError:
            return
    assert member == "labels"  # what lies behind the array is left where it is


def test_a_member_that_says_more_than_it_can_hold_is_refused(tmp_path):
    path = deflated(tmp_path / "a.npz", images=npy(PIXELS), labels=npy(LABELS))
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot hold 4294967280 bytes"):
        _NpzReader(path).decode(allocate)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_packings_than_numpys_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("images.npy", npy(PIXELS))
        archive.writestr("labels.npy", npy(LABELS))
    for read in (lambda path: _NpzReader(path).decode(allocate), lambda path: read_images(path, like=LIKE)):
        with pytest.raises(DataError, match="numpy stores or deflates"):
            read(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(10**9, 10**9, 10, 3), (-2, -3, 5, 3), (0, 10**12, 10**12, 3), (2**63,), ()])
def test_an_npy_that_declares_absurd_sizes_is_refused(tmp_path, shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    (tmp_path / "a.npy").write_bytes(stream.getvalue() + bytes(1000))
    with little_memory(), pytest.raises(DataError):
        read_images(tmp_path / "a.npy", like=LIKE)


def dictionary_column(value, rows):
    """Return a column that repeats one value: a few bytes in the file, all of them when it is unfolded."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


@pytest.mark.parametrize("column", ["image", "id"])
def test_a_parquet_file_that_repeats_one_large_cell_is_not_unfolded(tmp_path, column):
    rows = 1000
    bomb = dictionary_column(b"x" * (_BOMB // rows), rows)
    columns = {"image": dictionary_column(encode(PIXELS[0]), rows), "label": pa.array([1] * rows), column: bomb}
    path = tmp_path / "train-00000-of-00001.parquet"
    options = {"store_schema": False, "dictionary_pagesize_limit": 1 << 30, "compression": "zstd"}
    pq.write_table(pa.table(columns), path, **options)
    del bomb, columns
    with little_memory(), pytest.raises(DataError, match="cannot be read as"):
        if column == "image":
            ParquetReader({"train": (path,)}, "any").decode(allocate)
        else:
            read_images(path, like=LIKE)


def test_a_parquet_file_of_more_images_than_fit_into_memory_is_refused(tmp_path):
    columns = {"image": dictionary_column(encode(PIXELS[0]), 4), "label": pa.array([1] * 4)}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    like = DatasetSpec("any", ("a", "b"), 3, (1 << 20, 1 << 20))
    with pytest.raises(DataError, match="predict fewer at once"):
        read_images(tmp_path / "a.parquet", like=like)


@pytest.mark.parametrize("label", [2**63, -1, 70_000])
def test_labels_out_of_range_are_refused(tmp_path, label):
    path = tmp_path / "train.parquet"
    kind = pa.uint64() if label > 2**62 else pa.int64()
    columns = {"image": pa.array([encode(PIXELS[0])] * 2), "label": pa.array([0, label], kind)}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(DataError, match="label"):
        ParquetReader({"train": (path,)}, "any").decode(allocate)


def test_text_of_characters_there_are_not_is_refused(tmp_path):
    beyond = npy(np.array(["a", "b", "c", "d"]))[:-4] + b"\xff" * 4
    (tmp_path / "a.npz").write_bytes(zipped(images=npy(PIXELS), labels=npy(LABELS), class_names=beyond, ids=beyond))
    with pytest.raises(DataError, match=r"cannot be read as an \.npz file"):
        _NpzReader(tmp_path / "a.npz").decode(allocate)
    with pytest.raises(DataError, match="cannot be read as ids of images"):
        read_images(tmp_path / "a.npz", like=LIKE)


# Pickles


def cifar(folder, content):
    paths = tuple(folder / name for name in LAYOUTS["cifar10"].names)
    for path in paths:
        path.write_bytes(content)
    return CifarReader(paths, NAMED_SETS["cifar10"].spec, LAYOUTS["cifar10"])


def test_lists_that_hold_each_other_are_not_unfolded(tmp_path):
    with little_memory(), pytest.raises(DataError, match="the images are list, no array"):
        cifar(tmp_path, list_tower(b"data", 9)).decode(allocate)


def test_tuples_that_hold_each_other_are_not_hashed():
    with pytest.raises(pickle.UnpicklingError, match="uses a tuple twice"):
        load_pickled_arrays(tuple_tower(60))


@pytest.mark.parametrize(
    "hidden", [b"(e", b"(u", b"Nb", b"\x95" + bytes(8)], ids=["APPENDS", "SETITEMS", "BUILD", "FRAME"]
)
def test_no_opcode_that_does_nothing_hides_a_tuple(hidden):
    with pytest.raises(pickle.UnpicklingError, match="uses a tuple twice"):
        load_pickled_arrays(b"\x80\x04}K\x01\x85" + hidden + b"q\x00h\x00s.")
    counted_twice = b"\x80\x04}K\x05q\x00q\x00K\x01\x85" + hidden + b"\x94h\x01s."  # the memo has one place, not two
    with pytest.raises(pickle.UnpicklingError, match="uses a tuple twice"):
        load_pickled_arrays(counted_twice)


def test_numbers_that_could_be_made_to_collide_are_refused():
    with pytest.raises(pickle.UnpicklingError, match="more than 64 bits"):
        load_pickled_arrays(pickle.dumps({(2**61 - 1) * 2**70: None}, protocol=2))


@pytest.mark.parametrize("named", sorted({f"{module}\n{name}\n" for module, name in _STAND_INS}))
def test_a_pickle_leaves_no_mark_on_what_it_names(named):
    before = {place: dict(getattr(each, "__dict__", {})) for place, each in _STAND_INS.items()}
    for state in (b"}X\x01\x00\x00\x00aK\x01s", b"N}X\x01\x00\x00\x00aK\x01s\x86"):
        with pytest.raises((pickle.UnpicklingError, TypeError, AttributeError)):
            load_pickled_arrays(b"\x80\x02c" + named.encode() + state + b"b.")
    assert {place: dict(getattr(each, "__dict__", {})) for place, each in _STAND_INS.items()} == before


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_no_reader_runs_what_a_pickle_says(tmp_path, protocol):
    made = tmp_path / "made"
    code = pickle.dumps({"data": Payload(made), "labels": Payload(made)}, protocol=protocol)
    objects = np.array([Payload(made)] * 4, dtype=object)
    for name, content in (("a.pkl", code), ("a", code)):
        (tmp_path / name).write_bytes(content)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", images=objects, ids=objects)
    np.savez(tmp_path / "b.npz", images=PIXELS, labels=objects)
    np.savez(tmp_path / "c.npz", images=PIXELS, labels=LABELS, class_names=objects)
    for name in ("a.pkl", "a", "a.npy", "a.npz"):
        with pytest.raises(DataError):
            read_images(tmp_path / name, like=LIKE)
    for name in ("b.npz", "c.npz"):
        with pytest.raises(DataError, match="Python objects, which are never loaded"):
            _NpzReader(tmp_path / name).decode(allocate)
    with pytest.raises(DataError):
        cifar(tmp_path, code).decode(allocate)
    assert not made.exists()


def test_ids_of_any_length_are_no_names(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"data": PIXELS, "ids": [b"x" * 5000] * 4}))
    with pytest.raises(DataError, match="short text"):
        read_images(tmp_path / "a.pkl", like=LIKE)


# Archives and folders


@pytest.mark.parametrize("name", ["../data_batch_1", "/tmp/data_batch_1", "a/../../data_batch_1"])
def test_a_member_that_leads_elsewhere_is_refused(tmp_path, name):
    path = write_tar(tmp_path / "in" / "a.tar", [(name, b"x")], "w")
    with pytest.raises(DataError, match="points outside"):
        read_members(path, {"data_batch_1"})
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a.tar", "in"]


def test_an_archive_of_countless_members_is_refused(tmp_path):
    info = tarfile.TarInfo("a").tobuf()
    (tmp_path / "a.tar").write_bytes(info * 10_002 + bytes(1024))
    with pytest.raises(DataError, match="more than 10,000 members"):
        read_members(tmp_path / "a.tar", {"b"})
    assert tar_of_batches(tmp_path, "b.tar").is_file()


@pytest.mark.timeout(60)
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for path in (tmp_path, *tmp_path.iterdir()):
        with pytest.raises(DataError, match="regular file"):
            read_images(path, like=LIKE)
    with pytest.raises(DataError, match="regular file"):
        read_image(tmp_path / "pipe.png")


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"a\x1b]0;title\x07", "a\u2028b".encode(), b"x" * 201])
def test_a_class_that_cannot_be_shown_is_refused(tmp_path, name):
    for each in (name, b"cat"):
        folder = os.fsencode(tmp_path / "images") + b"/" + each
        os.makedirs(folder)
        Path(os.fsdecode(folder), "one.png").write_bytes(encode(PIXELS[0]))
    with pytest.raises(DataError, match="rename the class"):
        ImageFolderSource(path=str(tmp_path / "images")).load(tmp_path / "cache")


@pytest.mark.parametrize("path", ["~no such user/x", "a\0b", "x" * 5000])
def test_what_is_no_path_is_refused(path):
    for source in (NpzSource, ImageFolderSource):
        with pytest.raises(UsageError, match="cannot be a path"):
            source(path=path)


def test_a_batch_is_still_read(tmp_path):
    content = make_batch(np.zeros((2, 32, 32, 3), np.uint8), [1, 2], "labels")
    assert len(cifar(tmp_path, content).decode(allocate).labels["train"]) == 10
    assert parquet() and zipped(images=npy(PIXELS))
