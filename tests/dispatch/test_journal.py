import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.dispatch.control import Wish, read_wishes, send_wish
from windtunnel.dispatch.journal import Journal, hold_folder, is_held, read_journal
from windtunnel.errors import UsageError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def write(path, *events):
    journal = Journal(path)
    for event in events:
        journal.append(event, job="a")
    journal.close()


def names(path):
    return [event["event"] for event in read_journal(path)]


def test_events_come_back_in_order(path):
    write(path, "taken", "admitted")
    write(path, "ended")
    assert names(path) == ["taken", "admitted", "ended"]


def test_nan_is_written_as_null(path):
    journal = Journal(path)
    journal.append("progress", metrics={"val_loss": float("nan")})
    journal.close()
    assert read_journal(path)[0]["metrics"] == {"val_loss": None}


@settings(max_examples=25)
@given(st.integers(min_value=0, max_value=1000))
def test_a_journal_cut_anywhere_keeps_its_whole_lines_and_goes_on(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    write(path, "first", "second", "third")
    content = path.read_bytes()
    kept = content[: cut % (len(content) + 1)]
    path.write_bytes(kept)
    before = names(path)
    assert before == ["first", "second", "third"][: max(kept.count(b"\n") - 1, 0)]
    write(path, "next")
    assert names(path) == [*before, "next"]


def test_another_version_is_refused(path):
    path.write_text(json.dumps({"journal": "windtunnel dispatch", "version": 99}) + "\n")
    with pytest.raises(UsageError, match="has version 99, this windtunnel reads version 1"):
        Journal(path)


def test_another_file_is_refused(path):
    path.write_text('{"loss": 1}\n')
    with pytest.raises(UsageError, match="is no journal of runs"):
        Journal(path)


def test_damage_in_the_middle_is_refused_with_its_line(path):
    write(path, "first", "second")
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1][:5]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError, match="line 2 is damaged"):
        Journal(path)


def test_a_folder_is_held_by_one(tmp_path):
    assert not is_held(tmp_path)
    with hold_folder(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(UsageError, match=r"another dispatcher \(process \d+ on"), hold_folder(tmp_path):
            pass
    assert not is_held(tmp_path)


def test_wishes_are_read_on_from_where_they_were(tmp_path):
    path = tmp_path / "control.jsonl"
    assert read_wishes(path, 0) == []
    send_wish(path, Wish("pause"))
    (first,) = read_wishes(path, 0)
    with path.open("ab") as file:
        file.write(b'{"command": "resu')
    assert read_wishes(path, first["offset"]) == []
    with path.open("ab") as file:
        file.write(b'me", "job": "", "value": 0}\n')
    assert [wish["command"] for wish in read_wishes(path, first["offset"])] == ["resume"]
