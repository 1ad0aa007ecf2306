"""A real Ray cluster of three nodes on this machine, one of which is killed while its runs are under way."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from dispatch.fakes import SETTINGS, cpu, fake_command, price
from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.joined import join_pool
from windtunnel.dispatch.ray_engine import Agent, RayHead
from windtunnel.errors import UsageError


def join(folder, name):
    """Pull runs with Kit's fakes for workers, one at a time."""
    join_pool(folder, [cpu(cores=1)], estimate=price, settings=SETTINGS, command=fake_command, name=name, expiry_s=30.0)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


class Cluster:
    """Nodes started with `ray start`, each a process group that can be killed as a machine is lost."""

    def __init__(self, folder):
        self.address = f"127.0.0.1:{free_port()}"
        self.folder = folder
        self.temporary = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # socket paths must stay short
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": self.temporary,
        }
        self.nodes = []
        self.add("--head", f"--port={self.address.rpartition(':')[2]}", "--include-dashboard=false")

    def add(self, *options):
        """Start a node and wait until it is up; once more when it is not, as on a machine that is too busy."""
        for _ in range(3):
            log = self.folder / f"node-{len(self.nodes)}.log"
            node = self.start(log, options)
            wait_for(lambda node=node, log=log: node.poll() is not None or "runtime started" in log.read_text())
            if node.poll() is None:
                return node
        pytest.fail(log.read_text())

    def start(self, log, options):
        common = ("--block", "--num-cpus=1", "--node-ip-address=127.0.0.1", "--object-store-memory=100000000")
        command = [str(Path(sys.executable).parent / "ray"), "start", *common, *options]
        with log.open("w") as output:
            self.nodes.append(
                subprocess.Popen(command, env=self.environment, stdout=output, stderr=output, start_new_session=True)
            )
        return self.nodes[-1]

    def join(self):
        return self.add(f"--address={self.address}")

    @staticmethod
    def kill(node):
        """Kill a node at once, all its processes."""
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def close(self):
        for node in self.nodes:
            if node.poll() is None:
                self.kill(node)
        shutil.rmtree(self.temporary, ignore_errors=True)


@pytest.fixture
def cluster(tmp_path):
    pytest.importorskip("ray", reason="Ray is in the ray extra")
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


class Notes:
    """Keeps what happened."""

    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)

    def update(self, look):
        pass


@pytest.mark.slow
def test_nodes_share_the_runs_and_a_lost_nodes_runs_go_on(cluster, kit):
    doomed, _ = cluster.join(), cluster.join()
    ids = [f"slowish-{number}" for number in range(12)]
    outcomes, notes = {}, Notes()

    def head():
        source = FixedJobs(kit.jobs(*ids))
        options = {"address": cluster.address, "view": notes, "settings": SETTINGS, "join": join, "expiry_s": 30.0}
        found = RayHead(kit.folder, source, **options).run()
        outcomes.update({outcome.job: outcome.status for outcome in found})

    control = kit.folder / "dispatch/control.jsonl"
    control.parent.mkdir()
    send_wish(control, Wish("pause"))
    thread = threading.Thread(target=head)
    thread.start()
    beats = kit.folder / "dispatch/pool/beats"
    wait_for(lambda: beats.exists() and len([path for path in beats.iterdir() if path.name[0] != "."]) == 3)
    send_wish(control, Wish("resume"))
    workers = kit.folder / "dispatch/pool/workers"
    wait_for(lambda: len({path.parts[-5] for path in workers.glob("*/dispatch/jobs/*/heartbeat.json")}) == 3)
    cluster.kill(doomed)
    thread.join(timeout=200)
    assert outcomes == dict.fromkeys(ids, "finished")
    assert all(len(kit.epochs(id)) == 6 for id in ids)
    assert sum("an agent starts on node" in text for text in notes.texts) == 3
    assert any("is gone; offered again: slowish-" in text for text in notes.texts)


def test_no_cluster_is_an_error_that_says_what_to_do(kit):
    pytest.importorskip("ray", reason="Ray is in the ray extra")
    with pytest.raises(UsageError, match="no Ray cluster at"):
        RayHead(kit.folder, FixedJobs([]), address=f"127.0.0.1:{free_port()}", join=join).run()


def test_without_ray_it_says_what_to_install(kit, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"windtunnel\[ray\]"):
        RayHead(kit.folder, FixedJobs([]))


def test_an_agent_that_pulls_already_keeps_its_name():
    agent, going, release = Agent(), threading.Event(), threading.Event()

    def hold(folder, name):
        going.set()
        release.wait(30)

    assert agent.start(hold, "sweep", "first", has_gpus=False) == "first"
    going.wait(30)
    assert (agent.poll(), agent.start(hold, "sweep", "second", has_gpus=False)) == (None, "first")
    release.set()
    wait_for(lambda: agent.poll() == "")


def test_an_agent_tells_what_went_wrong():
    def fail(folder, name):
        raise RuntimeError("no devices")

    agent = Agent()
    agent.start(fail, "sweep", "first", has_gpus=False)
    wait_for(lambda: agent.poll() is not None)
    assert "no devices" in agent.poll()
