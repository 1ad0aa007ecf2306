"""A whole sweep: checked, dispatched, and what came of it.

>>> import windtunnel  # doctest: +SKIP
>>> result = windtunnel.sweep("quickstart_sweep")  # doctest: +SKIP
>>> result.best().choices  # doctest: +SKIP
{'optim.lr': 0.1}
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from windtunnel.config.sweep import SweepConfig
from windtunnel.dispatch.devices import Device, cpu_device, find_devices
from windtunnel.dispatch.dispatcher import Dispatcher, Settings
from windtunnel.dispatch.estimate.estimator import Estimator
from windtunnel.dispatch.head import PoolHead
from windtunnel.dispatch.portfolio import check_policy
from windtunnel.dispatch.snapshot import View
from windtunnel.dispatch.types import Outcome
from windtunnel.errors import UsageError
from windtunnel.registry import suggest
from windtunnel.sweeps.check import check_points
from windtunnel.sweeps.definition import Definition, build_definition, load_definition
from windtunnel.sweeps.folder import SweepFolder, create_sweep
from windtunnel.sweeps.optuna_study import require_optuna
from windtunnel.sweeps.results import PointResult, rank_points, read_results
from windtunnel.sweeps.study import Study
from windtunnel.training.folder import default_runs_dir

Engine = Literal["local", "join"]
"""Where runs are trained: on this machine, or on those that join by ``windtunnel worker --join``."""

FAILED_EXIT = 3


@dataclass(frozen=True)
class Machine:
    """What of this machine a sweep may use.

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

    def find_devices(self) -> list[Device]:
        """Return the devices.

        Raises:
            UsageError: there is no such device, or a number is not positive.
        """
        for name in ("memory", "parallel", "cores", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}: {value} is not above 0")
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
        cores = self.cores if self.parallel is None else self.parallel * self.threads
        if self.device == "cpu":
            return [cpu_device(memory=self.memory, cores=cores, threads=self.threads)]
        return find_devices(memory=self.memory, cores=cores, threads=self.threads)

    def _say_unknown(self, found: Sequence[Device]) -> str:
        known = list(dict.fromkeys(["auto", "cpu", *(device.name for device in found)]))
        near = suggest(self.device, known)
        hint = f"; did you mean {near!r}?" if near else ";"
        return f"device: there is no {self.device!r} here{hint} known: {', '.join(known)}"


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended.

    Args:
        folder: the sweep's folder.
        outcomes: how each run ended.
    """

    folder: SweepFolder
    outcomes: Sequence[Outcome]

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, or 3 when runs failed."""
        return FAILED_EXIT if any(outcome.status == "failed" for outcome in self.outcomes) else 0

    def points(self) -> list[PointResult]:
        """Return every point, the best first; points without a result come last."""
        return rank_points(read_results(self.folder))

    def best(self) -> PointResult:
        """Return the point with the best mean over its seeds.

        Raises:
            UsageError: no run has measured the metric.
        """
        first = next(iter(self.points()), None)
        if first is None or first.mean is None:
            raise UsageError(f"no run of {self.folder.path} has measured the metric yet")
        return first


def sweep(
    source: str | SweepConfig,
    *,
    overrides: Sequence[str] = (),
    runs_dir: Path | None = None,
    machine: Machine | None = None,
    policy: str = "auto",
    engine: Engine = "local",
    view: View | None = None,
) -> SweepResult:
    """Run a sweep to its end; the same sweep in the same place goes on where an earlier process stopped.

    Args:
        source: the sweep, or the name of a bundled one, a YAML file, a W&B sweep file or a sweep's folder.
        overrides: settings on top, e.g. ``strategy.runs=10`` or ``train.epochs=2``; of a name or file only.
        runs_dir: parent of the project's folder; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
        machine: what of this machine to use; None uses all of it.
        policy: how runs are packed: ``auto`` or the name of a policy.
        engine: ``local`` trains here; ``join`` leaves that to machines that pull from the sweep's folder.
        view: shows people what happens; None shows nothing.

    Raises:
        UsageError: the sweep is not valid, carries every problem; or its folder holds another one, or is in use.
        DispatchInterrupted: Ctrl-C or SIGTERM; every run has saved.
    """
    definition = build_definition(source) if isinstance(source, SweepConfig) else load_definition(source, overrides)
    place = find_place(source, runs_dir) if isinstance(source, str) else runs_dir or default_runs_dir()
    return run_definition(definition, place, machine=machine, policy=policy, engine=engine, view=view)


def run_definition(
    definition: Definition,
    runs_dir: Path,
    *,
    machine: Machine | None = None,
    policy: str = "auto",
    engine: Engine = "local",
    view: View | None = None,
) -> SweepResult:
    """Run a sweep that is already read, as :func:`sweep` does."""
    check_policy(policy)
    settings = Settings(policy=policy)
    if engine == "join":
        folder = prepare(definition, runs_dir)
        return SweepResult(folder, PoolHead(folder.path, Study(definition, folder), view=view, settings=settings).run())
    devices = (machine or Machine()).find_devices()
    folder = prepare(definition, runs_dir)
    estimator = Estimator(devices[0].kind, threads=devices[0].threads)
    dispatcher = Dispatcher(
        folder.path,
        Study(definition, folder),
        devices,
        estimate=estimator.estimate,
        record=estimator.record_outcome,
        view=view,
        settings=settings,
    )
    return SweepResult(folder, dispatcher.run())


def prepare(definition: Definition, runs_dir: Path) -> SweepFolder:
    """Check the sweep and return its folder, made on first use.

    Raises:
        UsageError: a point is not valid, Optuna is needed and missing, or the folder holds another sweep.
    """
    check_sweep(definition)
    return create_sweep(definition, runs_dir)


def check_sweep(definition: Definition) -> None:
    """Do nothing when every point of the sweep is valid and what it needs is installed.

    Raises:
        UsageError: a point is not valid, carries every problem; or Optuna is needed and missing.
    """
    check_points(definition)
    if definition.config.strategy.name == "tpe":
        require_optuna("strategy tpe")
    if definition.config.pruning is not None:
        require_optuna("pruning")


def find_place(reference: str, runs_dir: Path | None) -> Path:
    """Return the runs folder of a sweep: as told, or else where the sweep's folder lies if it is named by that."""
    if runs_dir is None and Path(reference).is_dir():
        return Path(reference).resolve().parents[1]
    return runs_dir or default_runs_dir()
