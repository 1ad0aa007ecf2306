import pytest

from catalog.folders import make_run, make_sweep
from windtunnel.dispatch.control import read_wishes


@pytest.fixture
def sweep(tmp_path):
    return make_sweep(tmp_path / "runs", ended=1)


@pytest.fixture
def controlled(serve, sweep, tmp_path):
    return serve(tmp_path / "runs", control=True)


def wishes(sweep):
    return [
        (wish["command"], wish["job"], wish["value"]) for wish in read_wishes(sweep[0].dispatch / "control.jsonl", 0)
    ]


def test_without_the_flag_nothing_is_changed(serve, sweep, tmp_path):
    page = serve(tmp_path / "runs")
    refused = page.wish({"sweep": "p/rates", "action": "pause"})
    assert refused.status == 403
    assert "--allow-control" in refused.json["error"]
    assert wishes(sweep) == []


def test_wishes_are_written_down_for_the_dispatcher(controlled, sweep):
    job = sweep[2][2].id
    for asked in (
        {"action": "pause"},
        {"action": "resume", "run": None, "priority": None},
        {"action": "prioritise", "run": job, "priority": 5},
        {"action": "cancel", "run": job},
    ):
        answer = controlled.wish({"sweep": "p/rates", **asked})
        assert "the next dispatcher follows" in answer.json["done"]
    assert wishes(sweep) == [("pause", "", 0), ("resume", "", 0), ("priority", job, 5), ("cancel", job, 0)]


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({"action": "explode"}, 422, "action: "),
        ({"action": "cancel"}, 422, "run: "),
        ({"action": "cancel", "run": "nobody"}, 422, "run: "),
        ({"action": "cancel", "run": 3}, 422, "run: "),
        ({"action": "prioritise", "run": "nobody"}, 422, "priority: "),
        ({"action": "prioritise", "run": "nobody", "priority": True}, 422, "priority: "),
        ({"action": "pause", "sweep": "../.."}, 404, "there is no sweep"),
        ({"action": "pause", "sweep": None}, 422, "sweep: "),
    ],
)
def test_what_cannot_be_done_is_told(controlled, sweep, asked, status, told):
    refused = controlled.wish({"sweep": "p/rates", **asked})
    assert refused.status == status
    assert refused.json["error"].startswith(told)
    assert wishes(sweep) == []


def test_a_run_that_ended_cannot_be_cancelled(controlled, sweep):
    refused = controlled.wish({"sweep": "p/rates", "action": "cancel", "run": sweep[2][0].id})
    assert (refused.status, "finished" in refused.json["error"]) == (422, True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 9000, b" " * 20_000])
def test_a_body_that_is_no_object_is_refused(controlled, body):
    refused = controlled.ask("/api/queue", "POST", body)
    assert refused.status == 422
    assert refused.json["error"].startswith("body: ")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
    ],
)
def test_another_sites_page_cannot_ask(controlled, sweep, headers):
    assert controlled.wish({"sweep": "p/rates", "action": "pause"}, **headers).status == 403
    assert wishes(sweep) == []


def test_our_own_page_can(controlled, sweep):
    own = {"Origin": f"http://127.0.0.1:{controlled.port}", "Sec-Fetch-Site": "same-origin"}
    assert controlled.wish({"sweep": "p/rates", "action": "pause"}, **own).status == 200
    assert wishes(sweep) == [("pause", "", 0)]


def test_looking_changes_nothing(serve, tmp_path):
    run = make_run(tmp_path / "runs/p/one")
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    page = serve(tmp_path / "runs")
    assert [page.ask("/api/queue").status, page.ask("/api/runs", "POST", b"{}").status] == [405, 405]
    page.get("run", {"id": "p/one"})
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before
