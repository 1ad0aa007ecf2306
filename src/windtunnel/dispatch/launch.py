"""Starting a worker, and finding its files again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from windtunnel.config.files import dump_yaml
from windtunnel.core.files import write_text
from windtunnel.dispatch.devices import Device, worker_environment
from windtunnel.dispatch.forking import ForkError, ForkServers
from windtunnel.dispatch.order import Order
from windtunnel.dispatch.processes import GatedProcess, WorkerProcess
from windtunnel.dispatch.types import Estimate, Job

Command = Callable[[Path], list[str]]


@dataclass(frozen=True)
class JobFolder:
    """The dispatcher's own files on one job: ``jobs/<id>/`` in its folder."""

    path: Path

    @property
    def log(self) -> Path:
        """What the job's workers printed."""
        return self.path / "log.txt"

    def order(self, attempt: int) -> Path:
        """Return the path of what the worker number ``attempt`` was told."""
        return self.path / f"order-{attempt}.json"


def write_order(
    folder: JobFolder,
    job: Job,
    device: Device,
    estimate: Estimate,
    *,
    attempt: int,
    reserved: int,
    shared: str = "",
) -> Order:
    """Write down what a worker is to do and return it; ``shared`` is the address of who holds its images."""
    folder.path.mkdir(parents=True, exist_ok=True)
    experiment = folder.path / "experiment.yaml"
    if not experiment.exists():
        write_text(experiment, dump_yaml(job.experiment))
    context = estimate.parts.get("context", 0) if device.kind == "cuda" else 0
    order = Order(
        job=job.id,
        attempt=attempt,
        folder=str(job.folder.absolute()),
        experiment=str(experiment.absolute()),
        heartbeat=str((folder.path / "heartbeat.json").absolute()),
        result=str((folder.path / f"result-{attempt}.json").absolute()),
        device=device.kind,
        cap_bytes=reserved - context if device.kind == "cuda" else None,
        context_bytes=context,
        claim=job.claim,
        shared=shared,
    )
    order.write(folder.order(attempt))
    return order


class Launcher:
    """Starts workers: as forks of a server that has torch imported, or each as a new process.

    Args:
        command: makes a worker's command from its order.
        servers: who forks; None starts every worker by its command.
        say: tells people when forking turned out not to work and is given up.
    """

    def __init__(self, command: Command, servers: ForkServers | None, say: Callable[[str], None]) -> None:
        self._command = command
        self._servers = servers
        self._say = say

    def is_ready(self) -> bool:
        """Say whether a worker can be started without waiting."""
        return self._servers is None or self._servers.are_ready()

    def start(self, folder: JobFolder, order: Order, device: Device, threads: int) -> WorkerProcess:
        """Start the worker for ``order``; it waits at its gate."""
        path = folder.order(order.attempt).absolute()
        if self._servers is not None and threads == device.threads:
            try:
                return self._servers.start(device, path, folder.log)
            except ForkError as error:
                self._say(f"workers are started one by one from now on, since their fork server failed: {error}")
                self.close()
        return GatedProcess(self._command(path), environment=worker_environment(device, threads), log=folder.log)

    def close(self) -> None:
        """Let fork servers end; workers go on."""
        if self._servers is not None:
            self._servers.close()
        self._servers = None
