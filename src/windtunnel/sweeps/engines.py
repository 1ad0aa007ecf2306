"""Where a sweep's runs are trained: here, in a shared folder's machines, on a Ray cluster, or here as one network."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from windtunnel.config.experiment import Experiment
from windtunnel.config.sweep import MetricName, SweepConfig
from windtunnel.dispatch.devices import Device, cpu_device, find_devices
from windtunnel.dispatch.dispatcher import Dispatcher
from windtunnel.dispatch.estimate.estimator import Estimator
from windtunnel.dispatch.forking import StartName, choose_fork
from windtunnel.dispatch.head import PoolHead
from windtunnel.dispatch.holders import ShareData
from windtunnel.dispatch.mps import run_daemon
from windtunnel.dispatch.portfolio import check_policy
from windtunnel.dispatch.settings import FOLDER, Settings
from windtunnel.dispatch.snapshot import View
from windtunnel.dispatch.types import JobSource, Outcome
from windtunnel.errors import UsageError
from windtunnel.registry import suggest
from windtunnel.sweeps.fused import FusedSweep, refuse_pruning

EngineName = Literal["local", "join", "ray", "fused"]

_OF_A_MACHINE = ("device", "memory", "parallel", "cores", "threads", "max_runs", "policy", "start", "share_data")
# engine -> the options it has no use for, which must not pass without a word, and what decides instead
_WITHOUT_EFFECT: Mapping[EngineName, tuple[tuple[str, ...], str]] = {
    "local": (("address",), "there is no cluster to find"),
    "join": ((*_OF_A_MACHINE, "address"), "every `windtunnel worker --join` says what it uses of its machine"),
    "ray": (("device", "max_runs", "start", "share_data"), "nodes use all their devices"),
    "fused": ((*_OF_A_MACHINE, "address"), "runtime.device and runtime.threads of the experiment decide"),
}


@dataclass(frozen=True)
class Machine:
    """What of a machine a sweep may use.

    Args:
        device: ``auto``, every GPU or else the CPU; ``cpu``; ``cuda``; ``cuda:N``.
        memory: bytes that runs may hold on each device; None takes nine tenths of it.
        parallel: most runs at a time on the CPU; None for as many as there are cores for.
        cores: CPU cores to use; None for those this process may use.
        threads: CPU threads of each run.
        max_runs: runs at a time on each device, whatever fits; None for any number.
    """

    device: str = "auto"
    memory: int | None = None
    parallel: int | None = None
    cores: int | None = None
    threads: int = 1
    max_runs: int | None = None

    @property
    def usable_cores(self) -> int | None:
        """CPU cores that runs may use together; None for all."""
        return self.cores if self.parallel is None else self.parallel * self.threads

    def check(self) -> None:
        """Refuse numbers that are not positive.

        Raises:
            UsageError: names the field.
        """
        for name in ("memory", "parallel", "cores", "threads", "max_runs"):
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
                "parallel: limits runs on the CPU; on a GPU memory and compute decide, or a limit for each device "
                "(--max-runs-per-device)"
            )
        return [device.limited_to(self.max_runs) for device in chosen]

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
        start: ``fork`` starts workers as forks of a process that has torch imported, ``spawn`` each anew; ``auto``
            forks on Linux's CPU. On GPUs forking has not been tried.
        share_data: whether a data set lies on a device once for all its runs: ``auto`` on GPUs, ``on``, ``off``.
        retry_failed: whether runs that failed or diverged earlier go once more.
        mps: whether to have NVIDIA's MPS daemon for the sweep, and start one where none answers.
    """

    name: EngineName = "local"
    machine: Machine = Machine()
    policy: str = "auto"
    address: str = "auto"
    start: StartName = "auto"
    share_data: ShareData = "auto"
    retry_failed: bool = False
    mps: bool = False

    def check(self, config: SweepConfig) -> None:
        """Refuse what this engine cannot do, before anything is written.

        Raises:
            UsageError: no such device or policy, an option without effect, or ``fused`` and pruning together.
        """
        check_policy(self.policy)
        self.machine.check()
        if self.name == "local":
            self._check_devices()
        for option in ("retry_failed", "mps"):
            if getattr(self, option) and self.name != "local":
                raise UsageError(f"{option}: runs are not started here with engine {self.name}; use engine local")
        self._refuse_without_effect()
        if self.name == "fused":
            refuse_pruning(config.pruning)

    def _refuse_without_effect(self) -> None:
        options, instead = _WITHOUT_EFFECT[self.name]
        usual = Engine()
        for option in options:
            of, default = (self.machine, usual.machine) if hasattr(usual.machine, option) else (self, usual)
            if getattr(of, option) != getattr(default, option):
                raise UsageError(f"{option}: has no effect with engine {self.name}, where {instead}; leave it out")

    def _check_devices(self) -> None:
        devices = self.machine.find_devices()
        if self.mps and devices[0].kind != "cuda":
            raise UsageError("mps: there is no GPU here whose runs could share it; leave --mps out")
        if self.start == "fork" and sys.platform != "linux":
            raise UsageError("start: fork needs Linux; use auto or spawn")

    def prepare(self, folder: Path) -> AbstractContextManager[None]:
        """Return the block in which the sweep in ``folder`` is to be built and run."""
        return run_daemon(folder / FOLDER) if self.mps else nullcontext()

    def try_out(self, experiments: Sequence[Experiment], metric: MetricName = "train_loss") -> None:
        """Find out whether runs can begin here at all, by what their estimates need: data, model, groups.

        Args:
            experiments: what would be run.
            metric: what they have to report.

        Raises:
            UsageError: one of ``experiments`` cannot be run here, or its data have no validation part for ``metric``.
        """
        if self.name != "local":
            return
        device = self.machine.find_devices()[0]
        estimator = Estimator(device.kind, threads=device.threads)
        estimator.estimate_all(experiments)
        wanted = experiments if metric.startswith("val_") else ()
        for experiment in (each for each in wanted if each.data.may_bring_validation):
            traced = estimator.explain(experiment).traced
            if traced is not None and not traced.evaluation_flops:
                raise UsageError(
                    f"{metric} is never reported: {experiment.data.source.name} has no validation part here; set "
                    "data.split.validation above 0"
                )

    def build(self, folder: Path, source: JobSource, view: View | None) -> "Runner":
        """Return what runs the jobs of ``source`` in the sweep's ``folder``."""
        settings = Settings(policy=self.policy, share_data=self.share_data, retry_failed=self.retry_failed)
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
            fork=choose_fork(devices, self.start),
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
