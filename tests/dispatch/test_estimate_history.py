"""The record of measured runs survives crashes and many writers."""

import threading

from windtunnel.dispatch.estimate import history as module
from windtunnel.dispatch.estimate.history import History, Measured

RUN = Measured(kind="k", machine="here", precision="float32", threads=1, epochs=2.0, peak_bytes=7)


def test_what_is_appended_is_read_back_for_its_machine_only(tmp_path):
    history = History(tmp_path / "deep" / "history.jsonl")
    history.append(RUN)
    (read,) = history.read("here")
    assert (read.kind, read.peak_bytes, read.epochs) == ("k", 7, 2.0)
    assert read.unix_time > 0
    assert history.read("elsewhere") == []


def test_no_file_is_no_history(tmp_path):
    assert History(tmp_path / "none.jsonl").read("here") == []


def test_half_a_line_and_lines_of_other_versions_are_passed_over(tmp_path):
    history = History(tmp_path / "history.jsonl")
    history.append(RUN)
    with history.path.open("a") as file:
        file.write('{"version": 99, "kind": "k"}\n[]\n{"version": 1, "kind": "half a li')
    history.append(RUN)
    assert len(history.read("here")) == 2


def test_lines_of_many_writers_stay_whole(tmp_path):
    def write():
        for _ in range(20):
            History(tmp_path / "history.jsonl").append(RUN)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(History(tmp_path / "history.jsonl").read("here")) == 80


def test_what_others_append_is_seen_and_an_emptied_file_is_read_anew(tmp_path):
    path = tmp_path / "history.jsonl"
    reader, writer = History(path), History(path)
    lengths = []
    for _ in range(3):
        writer.append(RUN)
        lengths.append(len(reader.read("here")))
    path.write_text("")
    writer.append(RUN)
    assert (lengths, len(reader.read("here"))) == ([1, 2, 3], 1)
    path.unlink()
    assert reader.read("here") == []


def test_a_line_is_parsed_once_however_often_the_record_is_asked(tmp_path, monkeypatch):
    history, parsed = History(tmp_path / "history.jsonl"), []
    monkeypatch.setattr(module, "_parse", lambda line: parsed.append(line))
    for _ in range(5):
        history.append(RUN)
        history.read("here")
    assert len(parsed) == 5
