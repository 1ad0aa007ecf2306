import json

import pytest

from windtunnel.track.carrier import carry

from .fake_sinks import CannotStart, FailsEachEpoch, Recording


@pytest.fixture
def start(tmp_path):
    (tmp_path / "record.json").write_text('{"name": "x", "id": "ab"}')
    run = {"name": "a", "project": "p", "group": "", "config": {}, "environment": {}, "start_step": 0}
    return {"event": "start", **run, "folder": str(tmp_path), "record": str(tmp_path / "record.json")}


def tell(events, sink, torn=""):
    """Return what was said and what reached the sink."""
    said = []
    carry(
        [*(f"{json.dumps(event)}\n" for event in events), *([torn] if torn else [])],
        sink,
        lambda kind, text: said.append((kind, text)),
    )
    return said, [json.loads(line) for line in (sink.folder / "seen.jsonl").read_text().splitlines()]


def test_a_run_whose_process_was_killed_ends_as_crashed(start):
    said, seen = tell([start, {"event": "epoch", "step": 1, "metrics": {"lr": 0.1}}], Recording())
    assert [each["event"] for each in seen] == ["start", "epoch", "finish"]
    assert seen[-1]["status"] == "crashed"
    assert said == [("note", "in seen.jsonl")]


def test_a_run_killed_within_a_line_ends_as_crashed(start):
    said, seen = tell([start], Recording(), torn='{"event": "epoch", "st')
    assert [each["event"] for each in seen] == ["start", "finish"]
    assert seen[-1]["status"] == "crashed"
    assert said == [("note", "in seen.jsonl")]


def test_a_run_killed_within_its_first_line_was_never_begun():
    sink = Recording()
    carry(['{"event": "start", "na'], sink, lambda kind, text: pytest.fail(text))
    assert not hasattr(sink, "folder")


def test_a_failed_epoch_is_said_and_the_next_one_still_handed_over(start):
    epochs = [{"event": "epoch", "step": step, "metrics": {}} for step in (1, 2)]
    end = {"event": "finish", "status": "finished", "metrics": {}, "summary": {}}
    said, seen = tell([start, *epochs, end], FailsEachEpoch())
    assert [kind for kind, _ in said] == ["note", "failed", "failed"]
    assert [each["event"] for each in seen] == ["start", "epoch", "epoch", "finish"]


def test_a_failed_start_ends_it(start):
    with pytest.raises(ConnectionError):
        tell([start, {"event": "epoch", "step": 1, "metrics": {}}], CannotStart())


def test_figures_that_are_not_finite_arrive(start):
    _, seen = tell([start, {"event": "epoch", "step": 1, "metrics": {"train/loss": float("nan")}}], Recording())
    assert seen[1]["metrics"]["train/loss"] != seen[1]["metrics"]["train/loss"]
