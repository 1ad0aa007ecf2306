"""Starting a worker, and finding its files again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from windtunnel.config.files import dump_yaml
from windtunnel.core.files import write_text
from windtunnel.dispatch.devices import Device, worker_environment
from windtunnel.dispatch.order import Order
from windtunnel.dispatch.processes import GatedProcess
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
    folder: JobFolder, job: Job, device: Device, estimate: Estimate, *, attempt: int, reserved: int
) -> Order:
    """Write down what a worker is to do and return it."""
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
    )
    order.write(folder.order(attempt))
    return order


def start_worker(folder: JobFolder, order: Order, device: Device, threads: int, command: Command) -> GatedProcess:
    """Start the worker for ``order``; it waits at its gate."""
    words = command(folder.order(order.attempt).absolute())
    return GatedProcess(words, environment=worker_environment(device, threads), log=folder.log)
