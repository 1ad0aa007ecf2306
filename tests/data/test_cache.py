import errno
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from windtunnel.data import cache
from windtunnel.data.cache import Decoded, fill_array, load_cached
from windtunnel.data.folder import ImageFolderSource
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import DataError

SPEC = DatasetSpec("toy", ("a", "b"), 3, (4, 5), mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))


@dataclass
class CountingReader:
    """Reads a file whose length is the number of images, and counts how often."""

    path: Path
    recipe: str = "toy"
    decoded: int = 0

    def files(self):
        return (self.path,)

    def decode(self, allocate):
        self.decoded += 1
        with (self.path.parent / "log").open("a") as log:
            log.write("x")
        count = len(self.path.read_bytes())
        fill_array(allocate, "train", np.full((count, 4, 5, 3), 7, dtype=np.uint8))
        return Decoded(SPEC, {"train": np.arange(count, dtype=np.int64) % 2})


@pytest.fixture
def reader(tmp_path):
    path = tmp_path / "source.bin"
    path.write_bytes(b"12345")
    return CountingReader(path)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache"


def set_folder(root):
    (folder,) = [path for path in (root / "sets").iterdir() if path.is_dir()]
    return folder


def test_a_set_is_decoded_once_and_comes_back_equal(reader, root):
    first, second = load_cached(reader, root), load_cached(reader, root)
    assert reader.decoded == 1
    assert first.digest == second.digest
    assert second.spec == SPEC
    assert second.splits["train"].labels.tolist() == [0, 1, 0, 1, 0]
    assert second.splits["train"].images.unique().tolist() == [7]


def test_images_are_channels_first_by_index_and_last_in_memory(reader, root):
    images = load_cached(reader, root).splits["train"].images
    assert images.shape == (5, 3, 4, 5)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.dtype == torch.uint8


def test_writing_into_loaded_images_does_not_reach_the_cache(reader, root):
    load_cached(reader, root).splits["train"].images.fill_(0)
    assert load_cached(reader, root).splits["train"].images.unique().tolist() == [7]


def test_changed_content_is_decoded_again(reader, root):
    before = load_cached(reader, root)
    reader.path.write_bytes(b"1234567")
    after = load_cached(reader, root)
    assert len(after.splits["train"].labels) == 7
    assert after.digest != before.digest


def test_the_same_content_under_another_time_is_not_decoded_again(reader, root):
    load_cached(reader, root)
    os.utime(reader.path, ns=(1, 1))
    load_cached(reader, root)
    assert reader.decoded == 1


def test_another_recipe_is_another_set(reader, root):
    load_cached(reader, root)
    reader.recipe = "toy, grey"
    load_cached(reader, root)
    assert reader.decoded == 2


def test_files_are_not_read_again_while_size_and_time_stand(reader, root, monkeypatch):
    load_cached(reader, root)
    monkeypatch.setattr(cache.hashlib, "file_digest", lambda *_: pytest.fail("read the file again"))
    load_cached(reader, root)


@pytest.mark.parametrize("name", ["train.images.npy", "train.labels.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "garbage"])
def test_a_damaged_cache_is_rebuilt(reader, root, name, damage):
    load_cached(reader, root)
    path = set_folder(root) / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20] if damage == "cut" else b"{}")
    raw = load_cached(reader, root)
    assert reader.decoded == 2
    assert raw.splits["train"].images.unique().tolist() == [7]


def test_a_cache_of_another_version_is_rebuilt(reader, root):
    load_cached(reader, root)
    meta = set_folder(root) / "meta.json"
    meta.write_text(meta.read_text().replace('"version": 1', '"version": 0'))
    load_cached(reader, root)
    assert reader.decoded == 2


def test_a_failed_decode_leaves_no_set_behind(reader, root, monkeypatch):
    def fail(allocate):
        allocate("train", 3, (4, 5, 3))[:] = 1
        raise DataError("damaged")

    monkeypatch.setattr(reader, "decode", fail)
    with pytest.raises(DataError, match="damaged"):
        load_cached(reader, root)
    assert [path for path in (root / "sets").rglob("*") if path.suffix != ".lock"] == []


def test_what_a_killed_build_left_is_swept(reader, root):
    load_cached(reader, root)
    folder = set_folder(root)
    half = folder.with_suffix(".building")
    folder.rename(half)
    (half / "meta.json").unlink()
    load_cached(reader, root)
    assert reader.decoded == 2
    assert not half.exists()


def test_a_cache_that_cannot_be_written_is_named(reader, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot use the data cache .*XDG_CACHE_HOME"):
        load_cached(reader, tmp_path / "file")


def test_a_full_disk_is_said_so_and_leaves_nothing_behind(reader, root, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.os, "posix_fallocate", refuse)
    with pytest.raises(DataError, match=r"No space left on device; free some space"):
        load_cached(reader, root)
    assert [path for path in (root / "sets").rglob("*") if path.suffix != ".lock"] == []


def test_a_set_larger_than_the_disk_is_refused_before_decoding(monkeypatch, tmp_path, sets):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    images = sets.make_images(3, 6, 6)
    sets.write_image_folder(tmp_path / "pets", {"": {"cat": images[:2], "dog": images[2:]}})
    source = ImageFolderSource(path=str(tmp_path / "pets"))
    with pytest.raises(DataError, match=r"train take 324 bytes and 100 are free: .*XDG_CACHE_HOME.*image_size"):
        source.load(tmp_path / "cache")
    assert not list((tmp_path / "cache" / "sets").glob("*.building"))


def test_a_source_file_that_cannot_be_read_is_named(reader, root, monkeypatch):
    reader.path.unlink()
    reader.path.mkdir()
    with pytest.raises(DataError, match=r"source\.bin cannot be read as a data file"):
        load_cached(reader, root)


def print_digest(path, root):
    print(load_cached(CountingReader(Path(path)), Path(root)).digest)


def test_two_processes_at_once_decode_it_once(reader, root):
    script = "import runpy, sys; runpy.run_path(sys.argv[1])['print_digest'](*sys.argv[2:])"
    command = [sys.executable, "-c", script, __file__, str(reader.path), str(root)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    digests = {worker.communicate(timeout=120)[0] for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0]
    assert len(digests) == 1
    assert (reader.path.parent / "log").read_text() == "x"
