import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.catalog.reading import Meter, Tail, parse_object


@pytest.fixture
def tail(tmp_path):
    return Tail(tmp_path / "lines", Meter())


@given(st.data())
def test_lines_come_once_and_whole_however_the_writing_was_cut(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("tail") / "lines"
    text = "".join(f"{line}\n" for line in data.draw(st.lists(st.text("ab,1", max_size=6), max_size=12))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    tail, seen = Tail(path, Meter()), []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        with path.open("ab") as file:
            file.write(text[start:end])
        anew, lines = tail.read()
        assert not anew
        seen += lines
    assert seen == text.splitlines()
    assert tail.meter.bytes_read <= len(text) + sum(len(line) + 1 for line in text.splitlines()) * len(cuts)


def test_nothing_is_read_where_nothing_changed(tail):
    tail.path.write_bytes(b"a\nb\n")
    tail.read()
    before = tail.meter.bytes_read
    assert tail.read() == (False, [])
    assert tail.meter.bytes_read == before


def test_only_what_was_added_is_read(tail):
    tail.path.write_bytes(b"x" * 10_000 + b"\n")
    tail.read()
    before = tail.meter.bytes_read
    with tail.path.open("ab") as file:
        file.write(b"new\n")
    assert tail.read() == (False, [b"new"])
    assert tail.meter.bytes_read - before == 4


def test_a_file_that_was_cut_back_begins_anew(tail):
    tail.path.write_bytes(b"a\nb\nc\n")
    tail.read()
    before = tail.generation
    os.truncate(tail.path, 2)
    assert tail.read() == (True, [b"a"])
    assert tail.generation != before


def test_a_file_in_its_place_begins_anew_even_when_it_is_longer(tail):
    tail.path.write_bytes(b"a\n")
    tail.read()
    (tail.path.parent / "other").write_bytes(b"A\nB\nC\n")
    (tail.path.parent / "other").replace(tail.path)
    assert tail.read() == (True, [b"A", b"B", b"C"])


def test_a_file_that_is_not_there_yet_has_no_lines(tail):
    assert tail.read() == (False, [])
    tail.path.write_bytes(b"a\n")
    assert tail.read() == (False, [b"a"])


def test_no_link_is_followed(tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    assert Meter().read(tmp_path / "link") is None
    assert Meter().read(tmp_path) is None


def test_a_part_of_a_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    read = [
        Meter().read(tmp_path / "file", offset=offset, most=most)[0] for offset, most in ((8, -1), (-3, -1), (2, 3))
    ]
    assert read == [b"89", b"789", b"234"]


@given(st.binary(max_size=40) | st.text(max_size=40))
def test_damaged_objects_are_none(text):
    found = parse_object(text)
    assert found is None or isinstance(found, dict)
