"""A data set held once for several processes; on the CPU, whose shared memory stands in for a GPU's."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from windtunnel.config.data import DataConfig, Digits, OfficialSplit
from windtunnel.data import sharing_holder
from windtunnel.data.open import open_data
from windtunnel.data.sharing import ADDRESS_VARIABLE, use_shared_parts
from windtunnel.data.sharing_holder import Holder, HolderOrder

CPU = torch.device("cpu")
CONFIG = DataConfig(source=Digits(), split=OfficialSplit(validation=0.1))
TAMPERING = """
import dataclasses, sys
from windtunnel.data import sharing_holder
hold = sharing_holder.hold_part
def hold_wrong(part, device):
    held = hold(part, device)
    return dataclasses.replace(held, checksum=held.checksum + 1)
sharing_holder.hold_part = hold_wrong
sharing_holder.main()
"""
READER = """
import socket, sys, time
while True:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(sys.argv[1])
        break
    except OSError:
        connection.close()
        time.sleep(0.02)
socket.recv_fds(connection, 1 << 17, 8)
print("open", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def same_cache(own_folders, cache, monkeypatch):
    """Holders and readers decode the set once."""
    monkeypatch.setenv("XDG_CACHE_HOME", cache)


def write_order(folder, linger_s=0.6):
    order = HolderOrder(
        CONFIG.model_dump(mode="json"), "cpu", str(folder / "socket"), str(folder / "state.json"), linger_s
    )
    order.write(folder / "order.json")
    return order


def start_holder(folder, *command):
    words = command or ("-m", "windtunnel.data.sharing_holder")
    return subprocess.Popen([sys.executable, *words, str(folder / "order.json")], env=dict(os.environ))


def wait_for_verdict(order):
    until = time.monotonic() + 180
    while not Path(order.state).exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    return json.loads(Path(order.state).read_text())


def start_reader(order):
    """Start a process that has the images open, once it says so."""
    reader = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", READER, order.address], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout.readline() == "open\n"
    return reader


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_readers_have_the_images_whatever_happens_to_others_and_their_holder(tmp_path, monkeypatch):
    order = write_order(tmp_path, linger_s=60.0)
    holder = start_holder(tmp_path)
    assert wait_for_verdict(order) == {"pid": holder.pid, "verdict": "shared", "reason": ""}
    kill(start_reader(order))
    monkeypatch.setenv(ADDRESS_VARIABLE, order.address)
    own = open_data(CONFIG)
    data, sharing = use_shared_parts(own, CPU)
    assert (sharing.is_shared, sharing.said) == (True, f"shared by process {holder.pid}")
    for name in ("train", "validation"):
        lent, copied = getattr(data, name).load(CPU), getattr(own, name).load(CPU)
        assert lent.images.equal(copied.images) and lent.labels.equal(copied.labels)
        assert lent.images.stride() == copied.images.stride()
        assert lent.images.data_ptr() != copied.images.data_ptr()
    assert data.train.head(7).load(CPU).images.data_ptr() == data.train.resident.images.data_ptr()
    assert data.test.resident is None
    other = open_data(CONFIG.model_copy(update={"train_limit": 300}))
    assert "another data set" in use_shared_parts(other, CPU)[1].said
    kill(holder)
    assert data.train.load(CPU).images.equal(own.train.load(CPU).images)
    again, sharing = use_shared_parts(own, CPU)
    assert again is own
    assert sharing.said.startswith("a copy of its own, since no holder answers")


def test_the_last_readers_end_is_the_holders(tmp_path):
    order = write_order(tmp_path, linger_s=0.5)
    holder = start_holder(tmp_path)
    reader = start_reader(order)
    assert wait_for_verdict(order)["verdict"] == "shared"
    time.sleep(3 * order.linger_s)
    assert holder.poll() is None
    kill(reader)
    assert holder.wait(timeout=180) == 0
    assert not Path(order.address).exists()


def test_what_does_not_arrive_as_it_was_sent_is_refused(tmp_path):
    order = write_order(tmp_path)
    holder = start_holder(tmp_path, "-c", TAMPERING)
    verdict = wait_for_verdict(order)
    assert verdict["verdict"] == "refused"
    assert "the train images did not arrive as they were sent" in verdict["reason"]
    assert holder.wait(timeout=180) == 0


def test_a_self_test_that_crashes_is_a_refusal(tmp_path, monkeypatch):
    order = write_order(tmp_path)
    monkeypatch.setattr(sharing_holder.sys, "executable", "/bin/false")
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    Holder(order, tmp_path / "order.json").run()
    signal.signal(signal.SIGTERM, before[0]), signal.signal(signal.SIGINT, before[1])
    assert wait_for_verdict(order) == {
        "pid": os.getpid(),
        "verdict": "refused",
        "reason": "the self-test failed: 1",
    }


def test_nobody_is_asked_where_no_holder_is_named(monkeypatch):
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    data = open_data(CONFIG)
    assert use_shared_parts(data, CPU) == (data, (False, ""))


def test_a_reader_that_writes_changes_a_copy_of_its_own(tmp_path):
    part = open_data(CONFIG).train
    held = sharing_holder.hold_part(part, CPU)
    lent = sharing_holder.pack({"train": held}, open_data(CONFIG), CPU)
    assert len(lent.files) == 2
    held.images.images.zero_()
    assert sharing_holder.hold_part(part, CPU).checksum == held.checksum
    assert os.pread(held.files[0], part.num_bytes, 0) == bytes(
        part.images.permute(0, 2, 3, 1).contiguous().numpy().data
    )
