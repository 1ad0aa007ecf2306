"""A whole reproduction: planned, trained, shown; the same call goes on where an earlier one was stopped."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from windtunnel.comparison.ablation import ablate
from windtunnel.comparison.changes import Change
from windtunnel.comparison.contest import Rules
from windtunnel.comparison.trials import Trial
from windtunnel.config.experiment import Experiment
from windtunnel.config.overrides import apply_overrides
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import write_json
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.forking import StartName
from windtunnel.dispatch.snapshot import View
from windtunnel.dispatch.types import Job, Outcome
from windtunnel.errors import UsageError
from windtunnel.report.load import read_json
from windtunnel.reproduction.planner import Measure, Pace, Slots, plan_budget, plan_full
from windtunnel.reproduction.probe import measure_paces
from windtunnel.reproduction.reports import load_report
from windtunnel.reproduction.storage import PROJECT, ReproductionFolder, place_of
from windtunnel.reproduction.types import Plan, Report, ReportRun, Reproduced
from windtunnel.reproduction.write import write_reproduction
from windtunnel.sweeps.engines import Engine, Machine
from windtunnel.training.folder import RunFolder, default_runs_dir

FAILED_EXIT = 3
_FINISHED_FILE = "finish.json"


@dataclass(frozen=True)
class Request:
    """What a user wants to have reproduced.

    Args:
        report: its name.
        minutes: wall clock allowed; None for the full protocol.
        overrides: settings on top of every run, e.g. ``data.source.path=...``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        runs_dir: parent of ``reproductions``; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
    """

    report: str
    minutes: float | None = None
    overrides: tuple[str, ...] = ()
    device: str = "auto"
    runs_dir: Path | None = None


@dataclass(frozen=True)
class ReproductionResult:
    """A reproduction that has ended.

    Args:
        found: its runs.
        files: what was written, ``tables.md`` first.
    """

    found: Reproduced
    files: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, or 3 when runs have no result."""
        return FAILED_EXIT if self.found.troubles else 0


def place(request: Request) -> ReproductionFolder:
    """Return where a reproduction lies, or will lie.

    Raises:
        UsageError: no such report, or a setting that does not fit its runs.
    """
    report = load_report(request.report)
    _check_minutes(request.minutes)
    experiments = [run.experiment for run in _list_runs(report, request.overrides)]
    runs_dir = request.runs_dir or default_runs_dir()
    return place_of(report.id, experiments, request.minutes, request.device, runs_dir)


def plan(request: Request, *, measure: Measure | None = None) -> Plan:
    """Return what would be run: the frozen plan of its folder, or else a new one, which writes nothing.

    Args:
        request: what is wanted.
        measure: says how fast this machine is; None measures it.

    Raises:
        UsageError: no such report or device, a setting that does not fit, missing data, or a budget too small.
    """
    frozen = place(request).read_plan()
    if frozen is not None:
        return frozen
    report = load_report(request.report)
    devices = Machine(device=request.device).find_devices()
    runs = _list_runs(report, request.overrides)
    slots = _find_slots(report, runs, devices)
    if report.trials:
        runs = [replace(run, experiment=_settle(run.experiment, slots)) for run in runs]
    if request.minutes is None:
        _try_out(runs, devices[0])
        return plan_full(report, runs, slots, request.overrides)
    found = measure or _measure_on(devices[0], slots)
    return plan_budget(report, runs, request.minutes, slots=slots, measure=found, overrides=request.overrides)


def reproduce(
    request: Request,
    *,
    chosen: Plan | None = None,
    command: Sequence[str] = (),
    view: Callable[[], AbstractContextManager[View]] | None = None,
    tell: Callable[[Trial, int], None] = lambda trial, position: None,
    measure: Measure | None = None,
) -> ReproductionResult:
    """Reproduce a report; called again, it goes on, and a finished one is only drawn anew.

    Args:
        request: what is wanted.
        chosen: what :func:`plan` returned for it, so that the machine is measured once; None plans here.
        command: words of the command line, for the record.
        view: opens what shows people the packed runs; None shows nothing.
        tell: called with each trial, and the position of its seed, as it ends.
        measure: says how fast this machine is; None measures it.

    Raises:
        UsageError: as :func:`plan`, or another process works on it.
        DispatchInterrupted: Ctrl-C or SIGTERM; every run has saved.
    """
    report = load_report(request.report)
    folder = place(request)
    if folder.read_plan() is None:
        folder.write_plan(chosen or plan(request, measure=measure))
    with RunFolder(folder.path).hold():
        frozen = folder.read_plan()
        assert frozen is not None
        outcomes: Sequence[Outcome] = ()
        if not folder.has_ended(frozen, by_trials=report.trials > 0):
            outcomes = _train(report, frozen, folder, view, tell)
        found = folder.collect(frozen, outcomes)
        _finish_once(report, found)
        files = write_reproduction(report, found, command)
    return ReproductionResult(found, tuple(files))


def _check_minutes(minutes: float | None) -> None:
    if minutes is not None and not (math.isfinite(minutes) and minutes > 0):
        raise UsageError(f"--budget: {minutes:g} is no number of minutes above 0; give minutes or `full`")


def _list_runs(report: Report, overrides: Sequence[str]) -> list[ReportRun]:
    """Return the report's runs with the user's settings on top, each named as it will be."""
    runs = []
    for run in report.build_runs():
        tree = apply_overrides(run.experiment.model_dump(mode="json"), overrides)
        tree |= {"name": report.id if report.trials else run.id, "project": PROJECT}
        source = f"{report.id}, run {run.id}" + (f" with {' '.join(overrides)}" if overrides else "")
        runs.append(replace(run, experiment=validate_tree(Experiment, tree, source)))
    return runs


def _find_slots(report: Report, runs: Sequence[ReportRun], devices: Sequence[Device]) -> Slots:
    first = devices[0]
    if first.kind == "cuda":
        several = len(devices) > 1 and not report.trials
        return Slots("cuda", min(len(devices), len(runs))) if several else Slots(first.name)
    parallel = 1 if report.trials else min(first.cores, len(runs))
    return Slots(first.name, parallel, first.cores // parallel)


def _settle(experiment: Experiment, slots: Slots) -> Experiment:
    """Return a trial that runs where it was planned: its process is not a dispatcher's, which would see to that."""
    threads = slots.threads if slots.device == "cpu" else experiment.runtime.threads
    runtime = experiment.runtime.model_copy(update={"device": slots.device, "threads": threads})
    return experiment.model_copy(update={"runtime": runtime})


def _try_out(runs: Sequence[ReportRun], device: Device) -> None:
    """Find out whether data and networks can be had, by tracing one run of each data set.

    Raises:
        UsageError: one cannot.
    """
    kinds = {run.experiment.data.model_dump_json(include={"source", "split"}): run.experiment for run in runs}
    Engine(machine=Machine(device=device.name)).try_out(list(kinds.values()))


def _measure_on(device: Device, slots: Slots) -> Measure:
    def measure(experiments: Sequence[Experiment]) -> list[Pace]:
        return measure_paces(experiments, device, parallel=slots.parallel, threads=slots.threads)

    return measure


def _train(
    report: Report,
    chosen: Plan,
    folder: ReproductionFolder,
    view: Callable[[], AbstractContextManager[View]] | None,
    tell: Callable[[Trial, int], None],
) -> Sequence[Outcome]:
    if report.trials:
        _train_trials(report, chosen, folder, tell)
        return ()
    jobs = [Job(run.id, run.experiment, folder.run(run.id)) for run in chosen.runs]
    parallel = chosen.parallel if chosen.device == "cpu" else None
    machine = Machine(device=chosen.device, parallel=parallel, threads=chosen.threads)
    start: StartName = "auto" if chosen.threads == 1 else "spawn"  # a process with several threads cannot be forked
    engine = Engine(machine=machine, start=start, retry_failed=True)
    (folder.path / "runs").mkdir(exist_ok=True)
    if view is None:
        return engine.build(folder.path, FixedJobs(jobs), None).run()
    with view() as shown:
        return engine.build(folder.path, FixedJobs(jobs), shown).run()


def _train_trials(report: Report, chosen: Plan, folder: ReproductionFolder, tell: Callable[[Trial, int], None]) -> None:
    base, *others = [run.experiment.model_dump(mode="json") for run in chosen.runs]
    changes = [
        Change(run.id, tuple(_differences(base, other))) for run, other in zip(chosen.runs[1:], others, strict=True)
    ]
    rules = Rules(report.trials, stop_early=False)
    ablate(base, changes, design="one_at_a_time", rules=rules, name=report.id, runs_dir=folder.path, tell=tell)


def _differences(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[list[str], Any]]:
    """Return paths and values that make ``other`` of ``base``; a component of another name is replaced whole."""
    found: list[tuple[list[str], Any]] = []
    for key, value in other.items():
        old = base.get(key)
        if value == old and key in base:
            continue
        if isinstance(value, Mapping) and isinstance(old, Mapping) and value.get("name") == old.get("name"):
            found += [([key, *path], inner) for path, inner in _differences(old, value)]
        else:
            found.append(([key], value))
    return found


def _finish_once(report: Report, found: Reproduced) -> None:
    """Do what the report does with its runs, unless that was done with the same ones."""
    if report.finish is None:
        return
    marker = found.folder / _FINISHED_FILE
    done_with = {"runs": sorted(found.runs)}
    if read_json(marker) != done_with:
        report.finish(found)
        write_json(marker, done_with)
