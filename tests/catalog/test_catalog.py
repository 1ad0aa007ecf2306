import os
import shutil
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.folders import MadeRun, make_run, make_sweep
from windtunnel.catalog.catalog import Catalog, UnknownIdError
from windtunnel.errors import UsageError


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def status(change):
    return {row.id: row.status for row in change.runs}


def test_each_look_tells_what_changed_since_the_last(runs):
    first = MadeRun(runs / "p/one").train(1)
    catalog = Catalog(runs)
    assert status(catalog.refresh()) == {"p/one": "running"}
    assert not catalog.refresh()
    first.train(2).end(last=2)
    make_run(runs / "p/two")
    assert status(catalog.refresh()) == {"p/one": "finished", "p/two": "finished"}
    assert not catalog.refresh()


def test_nothing_is_read_when_nothing_changed(runs):
    for number in range(5):
        make_run(runs / f"p/run-{number}").age()
    make_sweep(runs, ended=3)
    catalog = Catalog(runs)
    catalog.refresh()
    before = catalog.meter.bytes_read
    for _ in range(3):
        catalog.refresh()
    assert catalog.meter.bytes_read == before


def test_a_deleted_run_is_told_and_unknown_from_then_on(runs):
    make_run(runs / "p/one")
    MadeRun(runs / "p/two").train(1)
    catalog = Catalog(runs)
    catalog.refresh()
    catalog.curves("p/two")
    shutil.rmtree(runs / "p/two")
    assert catalog.refresh().removed == ("p/two",)
    with pytest.raises(UnknownIdError, match="p/two"):
        catalog.curves("p/two")
    shutil.rmtree(runs)
    assert catalog.refresh().removed == ("p/one",)


def test_a_run_deleted_between_two_looks_breaks_nothing(runs):
    MadeRun(runs / "p/one").train(1)
    catalog = Catalog(runs)
    catalog.refresh()
    shutil.rmtree(runs / "p/one")
    assert catalog.curves("p/one").rows == 0
    assert catalog.details("p/one").config == ""
    assert catalog.log("p/one", most=100) == ""


def test_a_run_that_took_the_place_of_another_is_read_anew(runs):
    make_run(runs / "p/one")
    catalog = Catalog(runs)
    catalog.refresh()
    (runs / "p/one").rename(runs.parent / "kept")
    MadeRun(runs / "p/one").train(1)
    change = catalog.refresh()
    assert status(change) == {"p/one": "running"}


def test_a_sweeps_word_on_how_a_run_ended_counts(runs):
    _, journal, jobs = make_sweep(runs, ended=2)
    catalog = Catalog(runs)
    catalog.refresh()
    told = {"status": "pruned", "reason": "", "summary": {}, "attempts": 1, "peak_bytes": None}
    journal.append("ended", job=jobs[2].id, **told)
    change = catalog.refresh()
    assert status(change) == {f"p/rates/runs/{jobs[2].id}": "pruned"}
    assert [row.id for row in change.sweeps] == ["p/rates"]
    assert {row.parent for row in catalog.run_rows()} == {"p/rates"}


def test_the_steps_of_a_sweeps_run_move_within_an_epoch(runs):
    folder, _, jobs = make_sweep(runs, ended=2)
    catalog = Catalog(runs)
    catalog.refresh()
    beat = folder.dispatch / "jobs" / jobs[2].id / "heartbeat.json"
    beat.parent.mkdir(parents=True)
    beat.write_text('{"attempt": 1, "beat": 9, "step": 47}')
    assert [row.step for row in catalog.refresh().runs] == [47]


def test_settings_of_all_runs_are_told_by_field(runs):
    make_sweep(runs, ended=4)
    catalog = Catalog(runs)
    catalog.refresh()
    assert catalog.fields()[0] == ("optim.lr", 4)
    assert sorted(catalog.values("optim.lr").values()) == [0.1, 0.2, 0.3, 0.4]
    assert catalog.values("no.such.field") == {}


def test_a_run_is_told_in_full(runs):
    run = make_run(runs / "p/<img src=x>")
    (run.path / "evaluation-validation").mkdir()
    told = '{"metrics": {"accuracy": 0.5, "per_class": [{"name": "<b>"}]}, "confusion": [[3]], "bins": []}'
    (run.path / "evaluation-validation/metrics.json").write_text(told)
    (run.path / "evaluation-validation/errors.png").write_bytes(b"PNG")
    (run.path / "curves.png").write_bytes(b"PNG2")
    catalog = Catalog(runs)
    catalog.refresh()
    details = catalog.details("p/<img src=x>")
    [evaluation] = details.evaluations
    assert (evaluation.classes, evaluation.confusion) == (("<b>",), ((3,),))
    assert evaluation.metrics == {"accuracy": 0.5}
    assert (details.pictures, evaluation.pictures) == (("curves.png",), ("evaluation-validation/errors.png",))
    assert catalog.picture("p/<img src=x>", "evaluation-validation/errors.png") == b"PNG"
    assert "epoch 4: train loss 0.5000" in catalog.log("p/<img src=x>", most=500)


SECRET = b"not for the page"


@pytest.fixture
def guarded(runs, tmp_path):
    run = make_run(runs / "p/one")
    (tmp_path / "secret.png").write_bytes(SECRET)
    (run.path / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.png").write_bytes(SECRET)
    (run.path / "folder").symlink_to(tmp_path / "outside")
    make_run(tmp_path / "outside/run")
    (runs / "linked").symlink_to(tmp_path / "outside")
    (run.path / "summary.json").unlink()
    (run.path / "summary.json").symlink_to(tmp_path / "secret.png")
    catalog = Catalog(runs)
    catalog.refresh()
    return catalog


NAMES = ("../../../secret.png", "link.png", "folder/secret.png", "/etc/passwd", "summary.json", "config.yaml", "..", "")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_a_runs_own_pictures_is_read(guarded, name):
    with pytest.raises(UnknownIdError):
        guarded.picture("p/one", name)
    assert [row.id for row in guarded.run_rows()] == ["p/one"]
    assert guarded.details("p/one").summary == {}


PARTS = st.sampled_from(
    ["..", ".", "p", "one", "linked", "run", "", "\x00", "%2e%2e", "secret.png", "~", "config.yaml"]
)


@given(st.lists(PARTS, max_size=6).map("/".join) | st.text(string.printable, max_size=30))
def test_no_id_or_name_leads_out_of_the_folder(guarded_once, id):
    for ask in (guarded_once.curves, guarded_once.details, guarded_once.sweep, guarded_once.comparison):
        if id != "p/one":
            with pytest.raises(UnknownIdError):
                ask(id)
    with pytest.raises(UnknownIdError):
        guarded_once.picture("p/one", id)


@pytest.fixture(scope="module")
def guarded_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("guarded")
    make_run(root / "runs/p/one")
    (root / "secret.png").write_bytes(SECRET)
    catalog = Catalog(root / "runs")
    catalog.refresh()
    return catalog


def test_a_folder_that_cannot_be_served_is_refused_with_a_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"there is no folder .*windtunnel train quickstart"):
        Catalog(tmp_path / "missing")
    with pytest.raises(UsageError, match="is not a folder"):
        Catalog(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="cannot be read"):
        Catalog(tmp_path)
