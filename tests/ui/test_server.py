import gzip
import json
import shutil
import time
from pathlib import Path

import pytest

from catalog.folders import MadeRun, make_ablation, make_comparison, make_run, make_sweep, make_time_to
from windtunnel import __version__
from windtunnel.ui.hub import Hub
from windtunnel.ui.static_files import find_plotly

NASTY = "<img src=x onerror=alert(1)>\"&'%2F"


def test_what_is_served_is_told(page, runs):
    about = page.get("about").json
    assert (about["version"], about["root"], about["control"]) == (__version__, str(runs.resolve()), False)
    assert page.address == f"http://127.0.0.1:{page.port}/"


def test_every_view_has_its_answer(serve, runs):
    folder, _, jobs = make_sweep(runs, ended=4)
    comparison, _ = make_comparison(runs)
    page, sweep = serve(runs), "p/rates"
    tables = page.get("runs").json
    assert {len(tables[name]) for name in ("sweeps", "comparisons")} == {1}
    assert len(tables["runs"]) == 1 + 4 + 6
    assert page.get("fields").json["fields"][0]["distinct"] > 1
    values = page.get("values", {"field": ["optim.lr", "seed"]}).json["values"]
    assert values["optim.lr"][f"{sweep}/runs/{jobs[2].id}"] == 0.3
    asked = [("id", "p/one"), ("id", f"{sweep}/runs/{jobs[0].id}"), ("from", 3), ("from", 0)]
    curves = page.get("curves", asked).json["curves"]
    assert curves["p/one"]["epoch"] == [4]
    assert page.get("run", {"id": "p/one"}).json["config"].startswith("name: quickstart")
    found = page.get("difference", {"id": "p/one", "to": f"{sweep}/runs/{jobs[2].id}"}).json["differences"]
    assert {"field": "optim.lr", "a": 0.1, "b": 0.3} in found
    assert "epoch 4" in page.get("log", {"id": "p/one"}).json["text"]
    told = page.get("sweep", {"id": sweep}).json
    assert [run["status"] for run in told["runs"]] == ["finished"] * 4
    assert told["best"][0]["mean"] == 0.2
    timeline = page.get("timeline", {"id": sweep}).json
    assert timeline["devices"][0]["spans"][0]["run"] == f"{sweep}/runs/{jobs[0].id}"
    assert (timeline["bound_by"], timeline["paused"]) == ("memory", False)
    told = page.get("comparison", {"id": f"comparisons/{comparison.name}"}).json
    assert [design["n"] for design in told["designs"]] == [3, 3]
    assert told["designs"][0]["accuracy_mean"] == pytest.approx(40)
    assert (told["kind"], told["effects"], told["attempts"]) == ("comparison", [], [])
    assert folder.path.is_dir()


def test_ablations_and_times_to_an_accuracy_have_answers_of_their_own(serve, runs):
    ablation, times = make_ablation(runs), make_time_to(runs)
    page = serve(runs)
    told = page.get("comparison", {"id": f"comparisons/{ablation.name}"}).json
    assert (told["kind"], told["effects"][0]["points"]) == ("ablation", [0.25, 0.5, 0.75])
    told = page.get("comparison", {"id": f"comparisons/{times.name}"}).json
    assert (told["kind"], [one["seconds"] for one in told["attempts"]]) == ("time_to", [10.0, 12.0, 4.0])
    assert [design["n"] for design in told["designs"]] == [0, 0]


def test_runs_that_wait_are_listed_without_a_folder(serve, runs):
    make_sweep(runs, ended=1)
    told = serve(runs).get("sweep", {"id": "p/rates"}).json["runs"]
    assert [(run["status"], run["id"] is None) for run in told] == [
        ("finished", False),
        ("running", False),
        ("waiting", True),
        ("waiting", True),
    ]


@pytest.mark.parametrize("name", ["run", "curves", "log", "sweep", "timeline", "comparison"])
def test_unknown_ids_are_told_as_such(page, name):
    refused = page.get(name, {"id": NASTY})
    assert refused.status == 404
    assert "<img src=x onerror=alert(1)>" in refused.json["error"]


@pytest.mark.parametrize(
    ("name", "query", "told"),
    [
        ("run", {}, "id"),
        ("run", {"id": ["p/one", "p/one"]}, "id"),
        ("curves", {}, "id"),
        ("curves", {"id": "p/one", "from": "-1"}, "from"),
        ("curves", {"id": "p/one", "from": ["1", "2"]}, "from"),
        ("log", {"id": "p/one", "bytes": "many"}, "bytes"),
        ("log", {"id": "p/one", "bytes": "9" * 30}, "bytes"),
        ("values", {}, "field"),
        ("difference", {"id": "p/one"}, "to"),
        ("picture", {"id": "p/one"}, "name"),
    ],
)
def test_bad_parameters_are_named(page, name, query, told):
    refused = page.get(name, query)
    assert refused.status == 422
    assert refused.json["error"].startswith(f"{told}: ")


def test_names_with_html_are_text_in_json(serve, runs):
    name = NASTY.replace("/", "")
    MadeRun(runs / "p" / name).train(1)
    page = serve(runs)
    answer = page.get("runs")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert f"p/{name}" in [run["id"] for run in answer.json["runs"]]
    assert page.get("run", {"id": f"p/{name}"}).json["row"]["name"] == name


def test_what_is_not_finite_is_null(serve, runs):
    run = MadeRun(runs / "p/two")
    run.path.joinpath("metrics.csv").write_text("epoch,step,train_loss,val_accuracy\n1,20,nan,inf\n")
    (run.path / "env.json").write_text('{"format_version": 1, "speed": NaN}')
    page = serve(runs)
    assert page.get("curves", {"id": "p/two"}).json["curves"]["p/two"]["train_loss"] == [None]
    assert page.get("run", {"id": "p/two"}).json["environment"]["speed"] is None
    assert page.get("runs").json["runs"]


def test_an_epoch_reaches_every_page_within_two_seconds(serve, runs):
    run = MadeRun(runs / "p/two").train(1)
    page = serve(runs)
    with page.events() as first, page.events() as second:
        hello = [first(), second()]
        assert [name for name, _ in hello] == ["hello", "hello"]
        assert hello[0][1]["boot"] == page.get("about").json["boot"]
        seen, took = page.get("runs").json["version"], []
        for number in (1, 2, 3):  # a machine that does other things may be late once
            begun = time.monotonic()
            run.train(1 + number)
            changes = [first(), second()]
            took.append(time.monotonic() - begun)
            for name, change in changes:
                assert (name, change["version"]) == ("change", seen + number)
                assert [(row["id"], row["epoch"]) for row in change["runs"]] == [("p/two", 1 + number)]
            if took[-1] < 2.0:
                break
    assert min(took) < 2.0


def test_new_and_deleted_runs_are_told(serve, runs):
    make_run(runs / "p/two")
    page = serve(runs)
    with page.events() as next_event:
        next_event()
        page.get("runs")
        shutil.rmtree(runs / "p/two")
        MadeRun(runs / "q/three")
        change = next_event()[1]
        while "p/two" not in change["removed"] or not change["runs"]:
            later = next_event()[1]
            change = {name: change[name] + later[name] for name in ("removed", "runs")}
    assert change["removed"] == ["p/two"]
    assert [row["id"] for row in change["runs"]] == ["q/three"]
    assert page.get("curves", {"id": "p/two"}).status == 404
    assert page.get("curves", {"id": ["p/two", "p/one"]}).json["missing"] == ["p/two"]


def test_a_server_that_was_restarted_says_so(serve, runs):
    first = serve(runs)
    boot = first.get("about").json["boot"]
    with first.events() as next_event:
        next_event()
        assert first.close() < 2.5  # with a stream open
        assert next_event() is None
    assert serve(runs).get("about").json["boot"] != boot


def test_two_servers_may_serve_one_folder(serve, runs):
    pages = [serve(runs), serve(runs)]
    assert pages[0].port != pages[1].port
    assert [len(page.get("runs").json["runs"]) for page in pages] == [1, 1]


def test_nobody_watching_means_nothing_is_looked_at(monkeypatch, serve, runs):
    page = serve(runs)
    page.get("runs")
    looks = []
    monkeypatch.setattr(Hub, "_look", lambda hub: looks.append(1))
    time.sleep(1.2)
    assert looks == []


def test_large_answers_are_packed_and_streams_are_not(serve, runs):
    for number in range(12):
        make_run(runs / f"p/run-{number}")
    page = serve(runs)
    packed, plain = page.get("runs", **{"Accept-Encoding": "gzip"}), page.get("runs")
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body)) == plain.json
    assert len(packed.body) < len(plain.body) / 4


def test_the_page_and_its_files_are_asked_for_once(page):
    shown = page.ask("/")
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("/", "/static/main.js", "/static/plotly.min.js"):
        answer = page.ask(path)
        again = page.ask(path, **{"If-None-Match": answer.headers["etag"]})
        assert (answer.status, again.status, again.body) == (200, 304, b"")


def test_plotly_comes_whole_from_the_installed_package(page):
    plain = page.ask("/static/plotly.min.js")
    assert plain.body == find_plotly().read_bytes()
    assert "max-age" in plain.headers["cache-control"]
    for _ in range(100):
        packed = page.ask("/static/plotly.min.js", **{"Accept-Encoding": "gzip"})
        if packed.headers.get("content-encoding") == "gzip":
            break
        time.sleep(0.1)
    assert gzip.decompress(packed.body) == plain.body


def test_a_damaged_sweep_is_told_and_the_rest_is_shown(serve, runs):
    folder, *_ = make_sweep(runs, ended=1)
    Path(folder.path / "sweep.yaml").write_text("{")
    page = serve(runs)
    assert page.get("sweep", {"id": "p/rates"}).status == 422
    tables = page.get("runs").json
    assert any("rates" in problem for problem in tables["problems"])
    assert len(tables["runs"]) == 3
