"""A sweep over the nodes of a Ray cluster: Ray starts an agent on each and tells when one is lost; the rest is ours.

The head, in the driver, holds the source and the journal and offers runs in the sweep's folder, which all nodes have to
see. Each node's agent owns its devices: it pulls runs, packs and watches them as any dispatcher does. Ray itself cannot
place by memory (its fractions of a GPU limit nothing), so no resource is asked of it.
"""

import hashlib
import os
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.dispatch.devices import find_devices
from windtunnel.dispatch.estimate.estimator import Estimator
from windtunnel.dispatch.forking import choose_fork
from windtunnel.dispatch.head import PoolHead
from windtunnel.dispatch.joined import join_pool
from windtunnel.dispatch.pool import EXPIRY_S, Pool
from windtunnel.dispatch.settings import Settings
from windtunnel.dispatch.snapshot import SilentView, View
from windtunnel.dispatch.types import JobSource, Outcome
from windtunnel.errors import UsageError

_LOOK_S = 1.0
_ANSWER_S = 10.0
_AGAIN_S = 60.0

Join = Callable[[Path, str], None]
"""What an agent does with the sweep's folder and its own name there."""


@dataclass(frozen=True)
class NodeJoin:
    """Pulls runs on a node; what of each node may be used.

    Args:
        memory: bytes runs may hold on each device; None takes nine tenths of it.
        cores: CPU cores to use; None for all.
        threads: CPU threads of each run.
        policy: packing policy.
    """

    memory: int | None = None
    cores: int | None = None
    threads: int = 1
    policy: str = "auto"

    def __call__(self, folder: Path, name: str) -> None:
        """Pull runs until the sweep has ended."""
        devices = find_devices(memory=self.memory, cores=self.cores, threads=self.threads)
        estimator = Estimator(devices[0].kind, threads=self.threads)
        join_pool(
            folder,
            devices,
            estimate=estimator.estimate,
            record=estimator.record_outcome,
            settings=Settings(policy=self.policy),
            fork=choose_fork(devices),
            name=name,
        )


class Agent:
    """The actor on a node: pulls runs in a thread, so that it can be asked how it goes."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._name = ""
        self._error = ""

    def start(self, join: Join, folder: str, name: str, has_gpus: bool) -> str:
        """Begin to pull runs as ``name``, unless an earlier head has set it to that; return its name in the pool."""
        if self.poll() is None:
            return self._name
        self._name, self._error = name, ""
        if has_gpus and os.environ.get("CUDA_VISIBLE_DEVICES") == "":
            del os.environ["CUDA_VISIBLE_DEVICES"]  # Ray hides GPUs from actors that ask for none
        self._thread = threading.Thread(target=self._run, args=(join, Path(folder), name), daemon=True)
        self._thread.start()
        return name

    def poll(self) -> str | None:
        """Return None while it pulls runs, then what went wrong, or ``""``."""
        return None if self._thread is not None and self._thread.is_alive() else self._error

    def _run(self, join: Join, folder: Path, name: str) -> None:
        try:
            join(folder, name)
        except Exception:  # whatever it is, the head has to hear of it
            self._error = traceback.format_exc()


@dataclass
class _Hired:
    """An agent as the head knows it: its handle, its name in the pool, and where it will tell that name."""

    actor: Any
    name: str
    told: Any


class Agents:
    """The head's side: an agent on every node, and the runs of lost nodes offered again at once.

    Args:
        ray: the module, connected to a cluster.
        folder: the sweep's folder.
        join: what agents do.
        view: shows people what happens.
    """

    def __init__(self, ray: Any, folder: Path, join: Join, view: View) -> None:
        self._ray = ray
        self._folder = folder
        self._join = join
        self._view = view
        self._hired: dict[str, _Hired] = {}  # by node
        self._lost_at: dict[str, float] = {}
        self._looked_at = 0.0

    def tend(self, pool: Pool) -> None:
        """Start agents on new nodes; give back what agents held that have died."""
        if time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        for id, node in alive.items():
            if id not in self._hired and self._looked_at - self._lost_at.get(id, -_AGAIN_S) >= _AGAIN_S:
                self._start(id, has_gpus=node["Resources"].get("GPU", 0) > 0)
        for id in list(self._hired):
            if id not in alive or not self._answers(id):
                self._lose(id, pool)

    def stop(self) -> None:
        """End the agents, which have nothing left to do."""
        for hired in self._hired.values():
            self._ray.kill(hired.actor)

    def _start(self, node: str, *, has_gpus: bool) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # Detached, so that runs outlive a head that is killed; the next one finds the agents by their names.
        actor = (
            self._ray.remote(Agent)
            .options(
                num_cpus=0,
                num_gpus=0,
                lifetime="detached",
                name=f"{hashlib.sha256(str(self._folder).encode()).hexdigest()[:12]}-{node}",
                get_if_exists=True,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote()
        )
        name = f"ray-{node[:8]}-{secrets.token_hex(2)}"
        self._hired[node] = _Hired(actor, name, actor.start.remote(self._join, str(self._folder), name, has_gpus))
        self._view.note(f"an agent starts on node {node[:8]}")

    def _answers(self, node: str) -> bool:
        hired = self._hired[node]
        try:
            hired.name = self._ray.get(hired.told, timeout=_ANSWER_S)
            error = self._ray.get(hired.actor.poll.remote(), timeout=_ANSWER_S)
        except self._ray.exceptions.GetTimeoutError:
            return True  # slow, not dead: of a dead one Ray would have told; its beat says the rest
        except self._ray.exceptions.RayError as lost:
            self._view.note(f"{hired.name} is lost: {str(lost).splitlines()[0]}")
            return False
        if error:
            raise UsageError(f"the agent {hired.name} could not go on:\n{error}")
        return True

    def _lose(self, node: str, pool: Pool) -> None:
        name = self._hired.pop(node).name
        self._lost_at[node] = time.monotonic()  # Ray takes seconds to see that a node is gone
        freed = pool.release_all(name)
        self._view.note(f"{name} is gone; offered again: {', '.join(freed) or 'nothing'}")


class RayHead:
    """Runs a source's jobs on the nodes of a Ray cluster; used like a dispatcher.

    Args:
        folder: the sweep's folder, which every node sees under the same path.
        source: gives the jobs and hears how they go.
        address: of the cluster, as ``ray.init`` takes it; ``auto`` for the one on this machine.
        view: shows people what happens.
        settings: how to behave.
        join: what each node's agent does.
        expiry_s: seconds without a beat after which a node's runs are offered again, should Ray not tell.

    Raises:
        UsageError: Ray is not installed.
    """

    def __init__(
        self,
        folder: Path,
        source: JobSource,
        *,
        address: str = "auto",
        view: View | None = None,
        settings: Settings | None = None,
        join: Join | None = None,
        expiry_s: float = EXPIRY_S,
    ) -> None:
        self._ray = _import_ray()
        self._folder = folder.absolute()
        self._address = address
        self._view = view or SilentView()
        self._join = join or NodeJoin(policy=(settings or Settings()).policy)
        self._source = source
        self._settings = settings
        self._expiry_s = expiry_s

    def run(self) -> list[Outcome]:
        """Run every job to its end and return how each ended.

        Raises:
            UsageError: there is no cluster at the address, or an agent could not go on.
            DispatchInterrupted: Ctrl-C or SIGTERM; nodes go on with what they hold.
        """
        self._connect()
        agents = Agents(self._ray, self._folder, self._join, self._view)
        try:
            outcomes = PoolHead(
                self._folder,
                self._source,
                view=self._view,
                settings=self._settings,
                tend=agents.tend,
                expiry_s=self._expiry_s,
            ).run()
            agents.stop()
        finally:
            self._ray.shutdown()
        return outcomes

    def _connect(self) -> None:
        try:
            _knock(os.environ.get("RAY_ADDRESS", "") if self._address == "auto" else self._address)
            self._ray.init(address=self._address, namespace="windtunnel", log_to_driver=False, logging_level="ERROR")
        except OSError as error:  # ConnectionError, which Ray raises, is one
            raise UsageError(
                f"no Ray cluster at {self._address!r}: {error}; start one with `ray start --head`"
            ) from error


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at ``host:port``, for which Ray would end this process after a minute."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError("engine ray needs Ray; install it with: pip install 'windtunnel[ray]'") from error
    return ray
