"""Where a sweep's runs are trained: here, in a shared folder's machines, on a Ray cluster, or here as one network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from windtunnel.config.experiment import Experiment
from windtunnel.config.sweep import SweepConfig
from windtunnel.dispatch.devices import Device, cpu_device, find_devices
from windtunnel.dispatch.dispatcher import Dispatcher, Settings
from windtunnel.dispatch.estimate.estimator import Estimator
from windtunnel.dispatch.head import PoolHead
from windtunnel.dispatch.portfolio import check_policy
from windtunnel.dispatch.snapshot import View
from windtunnel.dispatch.types import JobSource, Outcome
from windtunnel.errors import UsageError
from windtunnel.registry import suggest
from windtunnel.sweeps.fused import FusedSweep, refuse_pruning

EngineName = Literal["local", "join", "ray", "fused"]


@dataclass(frozen=True)
class Machine:
    """What of a machine a sweep may use.

    Args:
        device: ``auto``, every GPU or else the CPU; ``cpu``; ``cuda``; ``cuda:N``.
        memory: bytes that runs may hold on each device; None takes nine tenths of it.
        parallel: most runs at a time on the CPU; None for as many as there are cores for.
        cores: CPU cores to use; None for those this process may use.
        threads: CPU threads of each run.
    """

    device: str = "auto"
    memory: int | None = None
    parallel: int | None = None
    cores: int | None = None
    threads: int = 1

    @property
    def usable_cores(self) -> int | None:
        """CPU cores that runs may use together; None for all."""
        return self.cores if self.parallel is None else self.parallel * self.threads

    def check(self) -> None:
        """Refuse numbers that are not positive.

        Raises:
            UsageError: names the field.
        """
        for name in ("memory", "parallel", "cores", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}: {value} is not above 0")

    def find_devices(self) -> list[Device]:
        """Return the devices.

        Raises:
            UsageError: there is no such device, or a number is not positive.
        """
        self.check()
        found = self._find_all()
        chosen = [device for device in found if self.device in ("auto", device.kind, device.name)]
        if not chosen:
            raise UsageError(self._say_unknown(found))
        if self.parallel is not None and chosen[0].kind != "cpu":
            raise UsageError(
                "parallel: limits runs on the CPU; on a GPU memory and compute decide, or for one run at a time "
                "policy one_per_device"
            )
        return chosen

    def _find_all(self) -> list[Device]:
        if self.device == "cpu":
            return [cpu_device(memory=self.memory, cores=self.usable_cores, threads=self.threads)]
        return find_devices(memory=self.memory, cores=self.usable_cores, threads=self.threads)

    def _say_unknown(self, found: Sequence[Device]) -> str:
        known = list(dict.fromkeys(["auto", "cpu", *(device.name for device in found)]))
        near = suggest(self.device, known)
        hint = f"; did you mean {near!r}?" if near else ";"
        return f"device: there is no {self.device!r} here{hint} known: {', '.join(known)}"


@dataclass(frozen=True)
class Engine:
    """Where runs are trained, and how.

    Args:
        name: ``local`` packs them on this machine; ``join`` leaves them to machines that ``windtunnel worker --join``
            the sweep's folder; ``ray`` starts those on every node of a Ray cluster; ``fused`` trains runs of one
            architecture as one stacked network where that is faster.
        machine: what of this machine, or of each node, may be used.
        policy: how runs are packed: ``auto`` or the name of a policy.
        address: of the Ray cluster; ``auto`` for the one on this machine.
    """

    name: EngineName = "local"
    machine: Machine = Machine()
    policy: str = "auto"
    address: str = "auto"

    def check(self, config: SweepConfig) -> None:
        """Refuse what this engine cannot do, before anything is written.

        Raises:
            UsageError: no such device or policy, or ``fused`` and pruning together.
        """
        check_policy(self.policy)
        self.machine.check()
        if self.name == "local":
            self.machine.find_devices()
        if self.name == "fused":
            refuse_pruning(config.pruning)

    def try_out(self, experiments: Sequence[Experiment]) -> None:
        """Find out whether runs can begin here at all, by what their estimates need: data, model, groups.

        Raises:
            UsageError: one of ``experiments`` cannot be run here.
        """
        if self.name == "local":
            device = self.machine.find_devices()[0]
            Estimator(device.kind, threads=device.threads).estimate_all(experiments)

    def build(self, folder: Path, source: JobSource, view: View | None) -> "Runner":
        """Return what runs the jobs of ``source`` in the sweep's ``folder``."""
        settings = Settings(policy=self.policy)
        if self.name == "join":
            return PoolHead(folder, source, view=view, settings=settings)
        if self.name == "fused":
            return FusedSweep(folder, source, view=view)
        if self.name == "ray":
            return self._build_ray(folder, source, view, settings)
        devices = self.machine.find_devices()
        estimator = Estimator(devices[0].kind, threads=devices[0].threads)
        return Dispatcher(
            folder,
            source,
            devices,
            estimate=estimator.estimate,
            record=estimator.record_outcome,
            view=view,
            settings=settings,
        )

    def _build_ray(self, folder: Path, source: JobSource, view: View | None, settings: Settings) -> "Runner":
        from windtunnel.dispatch.ray_engine import NodeJoin, RayHead

        of_each = self.machine
        join = NodeJoin(of_each.memory, of_each.usable_cores, of_each.threads, self.policy)
        return RayHead(folder, source, address=self.address, view=view, settings=settings, join=join)


class Runner(Protocol):
    """A dispatcher, or what is used like one."""

    def run(self) -> list[Outcome]:
        """Run every job to its end and return how each ended."""
