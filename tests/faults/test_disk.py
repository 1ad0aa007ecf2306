"""A disk that is full, read-only or forbidden at some write: one clear error, nothing lost, and it goes on after."""

import errno
import hashlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import windtunnel
from catalog.folders import QUICKSTART, make_run
from dispatch.fakes import Kit
from faults.stand_ins import CONTENT, SlowReader
from windtunnel.cli import main as command_line
from windtunnel.cli.main import main
from windtunnel.comparison.launch import launch
from windtunnel.config.sweep import SweepConfig
from windtunnel.data.cache import load_cached
from windtunnel.data.fetch import fetch_set
from windtunnel.data.mirrors import Form, RemoteFile
from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.order import STORAGE_EXIT
from windtunnel.dispatch.settings import StorageError
from windtunnel.errors import RunError, UsageError, WindtunnelError
from windtunnel.sweeps.definition import build_definition
from windtunnel.sweeps.folder import create_sweep
from windtunnel.training.folder import list_runs
from windtunnel.training.interruption import Interruption

KINDS = ["full", "readonly", "denied"]
TINY = QUICKSTART.model_validate(
    QUICKSTART.model_dump()
    | {
        "data": {"source": {"name": "digits"}, "train_limit": 128, "batch_size": 16},
        "augment": [],
        "model": {"name": "cnn", "widths": [8, 8], "hidden": 8},
        "train": {"epochs": 2.0},
        "runtime": {"device": "cpu", "threads": 1, "tune_allocator": False},
    }
)


def fail_at_each(failing, folder, kind, call):
    """Call with the disk failing from its first change on, its second, ...; yield the errors, None where it did well.

    It may do so: that a temporary file which is gone already cannot be removed hurts nobody.
    """
    refused = 0
    for at in itertools.count(1):
        error = None
        with failing(folder, kind, at) as disk:
            try:
                call()
            except WindtunnelError as raised:
                error = raised
        if not disk.has_failed:
            assert refused > 1
            return
        refused += error is not None
        yield error


@pytest.mark.parametrize("kind", KINDS)
def test_fetch_names_the_folder_and_goes_on(kind, failing, server, tmp_path):
    address = f"http://127.0.0.1:{server.server_address[1]}/a"
    form = Form((RemoteFile("a", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), (address,)),))
    folder = tmp_path / "toy"
    for error in fail_at_each(failing, folder, kind, lambda: fetch_set("toy", folder, [form])):
        assert error is None or isinstance(error, UsageError)
        assert error is None or (str(folder) in str(error) and "[Errno" in str(error))
        (path,) = fetch_set("toy", folder, [form])
        assert path.read_bytes() == CONTENT
        path.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_names_itself_and_is_built_after(kind, failing, tmp_path):
    (tmp_path / "source.bin").write_bytes(b"12345")
    reader, caches = SlowReader(tmp_path / "source.bin", pause_s=0.0), itertools.count()
    places = (tmp_path / "caches" / str(number) for number in caches)
    tried = []

    def build():
        tried.append(next(places))
        return load_cached(reader, tried[-1])

    for error in fail_at_each(failing, tmp_path / "caches", kind, build):
        assert error is None or (isinstance(error, UsageError) and str(tried[-1]) in str(error))
        assert np.all(load_cached(reader, tried[-1]).splits["train"].images.numpy() == 7)
        assert not list(tried[-1].glob("sets/*.building"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_that_cannot_be_written_down_can_be_after(kind, failing, tmp_path):
    tree = {"name": "one", "project": "p", "base": "quickstart", "space": {"optim.lr": [0.1]}}
    definition = build_definition(SweepConfig.model_validate(tree))
    places = (tmp_path / "runs" / str(number) for number in itertools.count())
    tried = []

    def create():
        tried.append(next(places))
        return create_sweep(definition, tried[-1])

    for error in fail_at_each(failing, tmp_path / "runs", kind, create):
        assert error is None or (isinstance(error, UsageError) and str(tried[-1]) in str(error))
        assert create_sweep(definition, tried[-1]).read_definition().config == definition.config


@pytest.mark.parametrize("kind", ["full", "readonly"])
def test_a_report_that_cannot_be_written_leaves_the_old_one(kind, failing, tmp_path, capsys):
    run = make_run(tmp_path / "run")
    page = run.path / "report.html"
    page.write_text("<html>older</html>")
    with failing(run.path, kind), pytest.raises(SystemExit) as ended:
        main(["report", "page", str(run.path)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"windtunnel: the report cannot be written to {page}: [Errno")
    assert page.read_text() == "<html>older</html>"


def test_a_dispatcher_stops_where_a_run_finds_the_disk_full_and_goes_on_after(tmp_path):
    kit = Kit(tmp_path)
    ids = ("full-1", "plain-1", "fullest-1")
    with pytest.raises(StorageError, match="give the same command again") as stopped:
        kit.run(*ids)
    assert stopped.value.exit_code == 1
    assert str(tmp_path) in str(stopped.value)
    for _ in range(2):  # whichever of the two was seen first, the other may be seen by the next
        try:
            outcomes = kit.run(*ids)
            break
        except StorageError:
            continue
    assert {outcome.status for outcome in outcomes.values()} == {"finished"}
    events = read_journal(tmp_path / "dispatch" / "journal.jsonl")
    assert "crash" not in {event["cause"] for event in events if event["event"] == "requeued"}


@pytest.mark.parametrize(("kind", "at"), [("full", 1), ("full", 4), ("full", 8), ("denied", 2), ("readonly", 5)])
def test_a_dispatcher_whose_own_disk_fails_loses_no_run(kind, at, failing, tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    with failing(folder, kind, at) as disk, pytest.raises((OSError, RunError)):
        Kit(folder).run("plain-1", "plain-2")
    assert disk.has_failed
    outcomes = Kit(folder).run("plain-1", "plain-2")
    assert {outcome.status for outcome in outcomes.values()} == {"finished"}
    ended = [event["job"] for event in read_journal(folder / "dispatch" / "journal.jsonl") if event["event"] == "ended"]
    assert sorted(ended) == ["plain-1", "plain-2"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return windtunnel.train(TINY, runs_dir=tmp_path_factory.mktemp("runs")).folder


@pytest.mark.parametrize(("kind", "at"), [("full", 1), ("full", 14), ("readonly", 18), ("denied", 24)])
def test_a_run_whose_disk_fails_says_so_and_ends_as_if_undisturbed(kind, at, failing, undisturbed, tmp_path):
    runs = tmp_path / "runs"
    with failing(runs, kind, at) as disk, pytest.raises(WindtunnelError, match=r"\[Errno") as stopped:
        windtunnel.train(TINY, runs_dir=runs)
    assert disk.has_failed
    assert str(runs) in str(stopped.value)
    left = list_runs(runs)
    if left:
        assert f"windtunnel resume {left[0]}" in str(stopped.value)
    result = windtunnel.resume(left[0]) if left else windtunnel.train(TINY, runs_dir=runs)
    assert result.status == "finished"
    mine, theirs = (load_file(folder / "checkpoints" / "last.safetensors") for folder in (result.folder, undisturbed))
    assert all(mine[name].equal(theirs[name]) for name in theirs)
    assert result.summary["metrics"] == json.loads((undisturbed / "summary.json").read_text())["metrics"]


def test_a_trial_tells_a_full_disk_by_its_exit_code(tmp_path, monkeypatch):
    told = (
        "from windtunnel.comparison.launch import telling_of_the_disk as telling\nwith telling(): raise OSError(28, '')"
    )
    assert subprocess.run([sys.executable, "-c", told], capture_output=True).returncode == STORAGE_EXIT
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nexit {STORAGE_EXIT}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    order = tmp_path / "demo" / "orders" / "0000-A.json"
    with pytest.raises(RunError, match="give the same command again") as stopped:
        launch("any", order, tmp_path / "log", Interruption())
    assert f"free some space in {tmp_path / 'demo'}" in str(stopped.value)


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "read-only"), (errno.EACCES, "permissions")]
)
def test_the_command_line_explains_what_no_verb_does(number, remedy, monkeypatch, capsys):
    def fail(*words, **options):
        raise OSError(number, "told", "points.jsonl")

    monkeypatch.setattr(command_line, "build_app", lambda chosen: fail)
    with pytest.raises(SystemExit) as ended:
        main(["sweep"])
    assert ended.value.code == 1
    assert remedy in (said := capsys.readouterr().err)
    assert "points.jsonl" in said


def test_the_command_line_hides_no_fault_of_ours_behind_the_disk(monkeypatch):
    def fail(*words, **options):
        Path("/nowhere/at/all").read_text()

    monkeypatch.setattr(command_line, "build_app", lambda chosen: fail)
    with pytest.raises(FileNotFoundError):
        main(["sweep"])
