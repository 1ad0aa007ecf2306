import gzip
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windtunnel.data import archive
from windtunnel.data.archive import is_archive, read_members
from windtunnel.errors import DataError


def make_info(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_reads_the_wanted_members(tmp_path, sets, mode):
    path = sets.write_tar(tmp_path / "a.tar", [("d/one", b"1"), ("d/two", b"22"), ("d/three", b"333")], mode)
    assert is_archive(path)
    assert read_members(path, {"one", "three"}) == {"one": b"1", "three": b"333"}


@pytest.mark.parametrize("name", ["../one", "d/../../one", "/etc/one"])
def test_a_member_outside_the_folder_is_refused(tmp_path, sets, name):
    path = sets.write_tar(tmp_path / "inner" / "a.tar", [(name, b"x")])
    with pytest.raises(DataError, match="points outside the archive"):
        read_members(path, {"one"})
    assert sets.list_files(tmp_path) == ["inner/a.tar"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, sets, kind):
    path = sets.write_tar(tmp_path / "a.tar", [(make_info("one", kind, "/etc/passwd"), b"")])
    with pytest.raises(DataError, match="a link or a device"):
        read_members(path, {"one"})


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, sets, monkeypatch):
    monkeypatch.setattr(archive, "_MAX_UNPACKED", 1 << 20)
    path = sets.write_tar(tmp_path / "a.tar.gz", [("big", bytes(2 << 20))])
    assert path.stat().st_size < 1 << 16
    with pytest.raises(DataError, match="unpacks to more than"):
        read_members(path, {"one"})


def test_what_is_no_archive_is_not_taken_for_one(tmp_path):
    (tmp_path / "text").write_text("hello")
    assert not is_archive(tmp_path / "text")
    assert not is_archive(tmp_path)
    assert not is_archive(tmp_path / "missing")


def test_gzip_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(b"no tar at all" * 100))
    with pytest.raises(DataError, match=r"a\.tar\.gz cannot be read as a tar archive"):
        read_members(path, {"one"})


@given(cut=st.integers(0, 400))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cut_is_refused_or_reads_whole_members(tmp_path, sets, cut):
    whole = sets.write_tar(tmp_path / "whole.tar.gz", [("one", bytes(range(256)) * 4)]).read_bytes()
    path = tmp_path / "cut.tar.gz"
    path.write_bytes(whole[:cut])
    try:
        members = read_members(path, {"one"})
    except DataError:
        return
    assert members == {"one": bytes(range(256)) * 4}
