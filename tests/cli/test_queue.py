import json

import pytest

from dispatch.fakes import Kit
from windtunnel.dispatch.control import read_wishes


@pytest.fixture
def sweep(tmp_path):
    """A sweep whose one run has ended, and one that a stopped dispatcher left waiting."""
    kit = Kit(tmp_path / "sweep")
    dispatcher = kit.dispatcher("ok-1")
    dispatcher.run()
    journal = kit.folder / "dispatch/journal.jsonl"
    waiting = {"event": "taken", "time": 0, "limit": 1, "jobs": [{"id": "ok-2", "folder": "", "priority": 0}]}
    journal.write_text(journal.read_text() + json.dumps(waiting) + "\n")
    return kit.folder


def test_queue_shows_what_waits_and_that_nobody_works(cli, sweep):
    shown = cli("queue", str(sweep))
    assert shown.code == 0
    assert "ok-2" in shown.out
    assert "1 finished, 0 running, 1 waiting" in shown.out
    assert "no dispatcher works on this sweep now" in shown.out


def test_queue_prints_json(cli, sweep):
    shown = json.loads(cli("queue", str(sweep), "--json").out)
    assert shown["ended"] == {"finished": 1}
    assert not shown["dispatcher_at_work"]


def test_wishes_are_written_down(cli, sweep):
    asked = cli("queue", str(sweep), "--pause", "--cancel", "ok-2", "--priority", "ok-2", "3")
    assert asked.code == 0
    wishes = read_wishes(sweep / "dispatch/control.jsonl", 0)
    assert [(wish["command"], wish["job"], wish["value"]) for wish in wishes] == [
        ("pause", "", 0),
        ("cancel", "ok-2", 0),
        ("priority", "ok-2", 3),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cancel", "ok-3"), "did you mean"),
        (("--cancel", "ok-1"), "has ended already: finished"),
        (("--pause", "--resume"), "exclude each other"),
    ],
)
def test_what_cannot_be_done_is_refused(cli, sweep, words, said):
    refused = cli("queue", str(sweep), *words)
    assert refused.code == 2
    assert said in refused.err
    assert not (sweep / "dispatch/control.jsonl").exists()


def test_worker_refuses_a_folder_that_offers_nothing(cli, tmp_path):
    refused = cli("worker", "--join", str(tmp_path), "--memory", "1GB")
    assert refused.code == 2
    assert "offers no runs" in refused.err


def test_worker_takes_no_device_that_is_not_there(cli, tmp_path):
    refused = cli("worker", "--join", str(tmp_path), "--device", "cuda:77")
    assert refused.code == 2
    assert "there is no 'cuda:77' here" in refused.err
