"""The fault drill on a cluster: one of three Ray nodes is killed at once while its runs are under way.

The nodes are started with ``ray start`` on this machine, each a process group that dies as a machine would. The runs
are those of ``fault_drill.py``: some overrun their memory, some diverge. Then every run has to have ended once, as it
should, and every survivor with the bits of the same run trained alone, undisturbed.

Usage: python benchmarks/fault_drill_ray.py [--runs N] [--out FILE.json]
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import fault_drill
from fault_drill import BUDGET_MIB, MIB, PROMISED_MIB, SETTINGS
from windtunnel.dispatch.devices import cpu_device
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.joined import join_pool
from windtunnel.dispatch.ray_engine import RayHead
from windtunnel.dispatch.types import Estimate, Outcome

NODES = 3
EXPIRY_S = 60.0
LONGEST_S = 300.0


def join(folder: Path, name: str) -> None:
    """Be a node's agent: pull runs, as many at a time as the memory of the drill holds."""
    promised = Estimate(bytes=PROMISED_MIB * MIB, seconds=5.0, source="given")
    join_pool(
        folder,
        [cpu_device(memory=BUDGET_MIB * MIB, cores=1)],
        estimate=lambda experiment: promised,
        settings=SETTINGS,
        command=fault_drill.drill_command,
        fork=fault_drill.drill_fork,
        name=name,
        expiry_s=EXPIRY_S,
    )


def start_node(folder: Path, number: int, *options: str) -> subprocess.Popen[bytes]:
    """Start a node and wait until it is up."""
    command = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus=1"]
    command += ["--node-ip-address=127.0.0.1", "--object-store-memory=100000000", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent), "RAY_USAGE_STATS_ENABLED": "0"}
    log = folder / f"node-{number}.log"
    with log.open("w") as output:
        node = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    wait_for(lambda: node.poll() is not None or "runtime started" in log.read_text())
    if node.poll() is not None:
        sys.exit(log.read_text())
    return node


def kill_node(node: subprocess.Popen[bytes]) -> None:
    if node.poll() is None:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > until:
            sys.exit("the cluster took too long")
        time.sleep(0.1)


def busy_nodes(folder: Path) -> int:
    """Return on how many nodes a run has begun to train."""
    beats = folder.glob("dispatch/pool/workers/*/dispatch/jobs/*/heartbeat.json")
    return len({path.parts[-5] for path in beats if json.loads(path.read_text())["step"] > 0})


def disturb(folder: Path, cluster: Path, runs: int) -> list[Outcome]:
    """Run the sweep on the cluster and kill a node once each has begun to train; return how the runs ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"127.0.0.1:{port}"
    nodes = [start_node(cluster, 0, "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={cluster}/r")]
    outcomes: list[Outcome] = []

    def run_head() -> None:
        source = FixedJobs(fault_drill.make_jobs(folder, runs))
        outcomes.extend(RayHead(folder, source, address=address, join=join, settings=SETTINGS, expiry_s=EXPIRY_S).run())

    try:
        nodes += [start_node(cluster, number, f"--address={address}") for number in range(1, NODES)]
        head = threading.Thread(target=run_head)
        head.start()
        wait_for(lambda: busy_nodes(folder) == NODES)
        kill_node(nodes[1])
        head.join()
    finally:
        for node in reversed(nodes):
            kill_node(node)
    return outcomes


def drill(folder: Path, cluster: Path, *, runs: int) -> dict[str, object]:
    """Go through the drill and return what happened."""
    disturbed, undisturbed = folder / "disturbed", folder / "undisturbed"
    disturbed.mkdir(parents=True)
    fault_drill.train_undisturbed(undisturbed, runs)
    begun = time.monotonic()
    outcomes = disturb(disturbed, cluster, runs)
    return {
        "runs": runs,
        "seconds": round(time.monotonic() - begun, 1),
        "nodes": NODES,
        "nodes_killed": 1,
        "ended": dict(Counter(outcome.status for outcome in outcomes)),
        "faults": fault_drill.find_faults(disturbed, undisturbed, runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--out", type=Path, help="write what happened as JSON")
    options = parser.parse_args()
    cluster = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # the names of sockets must stay short
    try:
        with tempfile.TemporaryDirectory() as temporary:
            report = drill(Path(temporary), cluster, runs=options.runs)
    finally:
        shutil.rmtree(cluster, ignore_errors=True)
    text = json.dumps(report, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    sys.exit(bool(report["faults"]))


if __name__ == "__main__":
    main()
