import json
import struct
import subprocess
import sys

import pytest

from windtunnel.track.choice import TRACKERS, Tracking
from windtunnel.track.relay import relaying

from ..conftest import make_info, make_run_folder, make_summary

pytestmark = pytest.mark.slow


def test_a_run_that_wandb_is_turned_off_for_says_so(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="needs windtunnel[wandb]")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    folder, said = make_run_folder(tmp_path / "tests" / "a"), []
    with relaying(Tracking((TRACKERS["wandb"],), wait_s=200.0), said.append, pictures={}) as relays:
        relays[0].start(make_info(folder))
        relays[0].finish(make_summary())
    assert [each.text for each in said if "at most" not in each.text] == [
        "wandb: kept nowhere: WANDB_MODE turns it off"
    ]


@pytest.fixture(scope="module")
def stored(tracked_slowly):
    """The records of both parts of the run, as they stand in W&B's files."""
    proto = pytest.importorskip("wandb.proto.wandb_internal_pb2", reason="needs windtunnel[wandb]")
    files = sorted((tracked_slowly.folder / "wandb").glob("offline-run-*/*.wandb"))
    return [[proto.Record.FromString(content) for content in read_log(file.read_bytes())] for file in files]


def read_log(content):
    """Yield the records of a file in LevelDB's log format after W&B's header of 7 bytes."""
    at, record = 7, b""
    while at + 7 <= len(content):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or last part
            yield record
            record = b""


def read_history(records):
    return [
        {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]


def read_run(records):
    return next(record.run for record in records if record.WhichOneof("record_type") == "run")


def test_epochs_are_stored_with_step_and_epoch(stored):
    begun, gone_on = (read_history(records) for records in stored)
    assert [(row["step"], row["epoch"], row["train/accuracy"]) for row in begun] == [(10, 1, 0.25), (20, 2, 0.5)]
    epochs = [(row["step"], row["train/accuracy"]) for row in gone_on if "epoch" in row]
    assert epochs == [(20, 0.5), (30, 0.75), (40, 1.0)]


def test_the_run_keeps_its_id_and_carries_the_name_of_its_sweep(stored):
    begun, gone_on = (read_run(records) for records in stored)
    assert begun.run_id == gone_on.run_id
    assert (begun.project, begun.run_group, begun.display_name) == ("tests", "lr_sweep", "0001-ab12-s0")


def test_settings_and_environment_are_stored_flat(stored):
    config = {item.key: json.loads(item.value_json) for item in read_run(stored[0]).config.update}
    assert config["optim.lr"] == 0.1
    assert config["environment.packages.torch"] == "2.13.0"


def test_figures_of_the_test_split_and_how_it_ended_are_in_the_summary(stored):
    updates = [item for record in stored[1] for item in record.summary.update if item.key]
    summary = {item.key: json.loads(item.value_json) for item in updates}
    assert (summary["test/accuracy"], summary["status"], summary["seconds.train"]) == (0.875, "finished", 4.0)
    exits = [record.exit.exit_code for records in stored for record in records if record.HasField("exit")]
    assert exits == [1, 0]


def test_the_picture_is_stored(stored, tracked_slowly):
    (picture,) = (tracked_slowly.folder / "wandb").glob("offline-run-*/files/media/images/curves_*.png")
    assert picture.read_bytes() == (tracked_slowly.folder / "curves.png").read_bytes()


def test_nothing_secret_is_stored(stored, tracked_slowly):
    content = b"".join(file.read_bytes() for file in (tracked_slowly.folder / "wandb").rglob("*") if file.is_file())
    assert b"hunter2" not in content  # of an environment variable
    assert b"tellnobody" not in content  # of the command line


def test_without_a_key_the_run_is_kept_offline(run_folder, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="needs windtunnel[wandb]")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    start = {"event": "start", "name": "a", "project": "p", "group": "", "config": {}, "environment": {}}
    record = tmp_path / "wandb.json"
    record.write_text('{"name": "wandb", "id": "abcd1234"}')
    start |= {"folder": str(run_folder), "record": str(record), "start_step": 0}
    command = [sys.executable, "-m", "windtunnel.track.carrier", "windtunnel.track.sinks.wandb:WandbSink"]
    ended = subprocess.run(command, input=json.dumps(start) + "\n", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "kept offline" in json.loads(ended.stdout.splitlines()[0])["note"]
    assert list((run_folder / "wandb").glob("offline-run-*-abcd1234"))
