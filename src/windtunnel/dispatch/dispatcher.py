"""The dispatcher: takes jobs from a source, keeps every device full, loses no run.

Whatever it decides is in the journal before it is done, so it may be killed at any moment: the next one with the same
folder replays the journal, takes over the workers that still live and goes on. It never imports torch; it watches
files and processes, and decides.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from windtunnel.config.experiment import Experiment
from windtunnel.core.units import format_bytes
from windtunnel.dispatch.accounts import FreeBytes, find_overrunner
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.control import read_wishes
from windtunnel.dispatch.devices import Device, free_bytes
from windtunnel.dispatch.forking import ForkCommand, ForkServers
from windtunnel.dispatch.handover import withdraw_offers
from windtunnel.dispatch.holders import Holders
from windtunnel.dispatch.journal import Journal, hold_folder
from windtunnel.dispatch.launch import Command, JobFolder, Launcher, write_order
from windtunnel.dispatch.order import Order
from windtunnel.dispatch.overview import take_snapshot
from windtunnel.dispatch.packing import Admission, DeviceLoad, Task
from windtunnel.dispatch.planner import Planner, count_threads, explain_misfit
from windtunnel.dispatch.pricing import Pricing
from windtunnel.dispatch.processes import identify, wait_for_ends
from windtunnel.dispatch.restore import restore
from windtunnel.dispatch.retry import Verdict, judge
from windtunnel.dispatch.settings import FOLDER, DispatchInterrupted, Settings, StorageError, worker_command
from windtunnel.dispatch.snapshot import SilentView, Snapshot, View
from windtunnel.dispatch.state import Placement, RunState, SweepState
from windtunnel.dispatch.types import Estimate, Job, JobSource, Outcome
from windtunnel.training.folder import RunFolder
from windtunnel.training.interruption import Interruption, listen_for_signals

_REPRICED = 20
_IDLE_POLL_S, _LONGEST_POLL = 0.1, 4.0
_LOOKING_SHARE = 0.004  # of a core
_WISHES = {"pause": "pause", "resume": "resume", "cancel": "cancel", "priority": "change the priority of"}


class Dispatcher:
    """Runs every job a source has, as many at a time as the devices hold.

    Args:
        folder: the sweep's folder; the dispatcher keeps its own things in ``dispatch/`` there.
        source: gives the jobs and hears how they go.
        devices: where they may run.
        estimate: prices a job before it runs; called in a thread of its own.
        record: hears how each job ended, in that same thread.
        view: shows people what happens.
        settings: how to behave.
        command: makes a worker's command from its order.
        fork: makes the command of a server that forks workers; None starts each by its own command.
        free: says what is free on a device.

    Raises:
        UsageError: there is no such policy.
    """

    def __init__(
        self,
        folder: Path,
        source: JobSource,
        devices: Sequence[Device],
        *,
        estimate: Callable[[Experiment], Estimate],
        record: Callable[[Job, Outcome], None] | None = None,
        view: View | None = None,
        settings: Settings | None = None,
        command: Command = worker_command,
        fork: ForkCommand | None = None,
        free: FreeBytes = free_bytes,
    ) -> None:
        self._settings = settings or Settings()
        self._folder = folder / FOLDER
        self._source = source
        self._devices = {device.name: device for device in devices}
        self._pricing = Pricing(estimate, record)
        self._view = view or SilentView()
        servers = ForkServers(fork, self._folder) if fork is not None else None
        self._servers = servers
        self._launcher = Launcher(command, servers, self._view.note)
        self._holders = Holders(self._folder / "shared", devices, self._settings.share_data)
        self._state = SweepState()
        self._jobs: dict[str, Job] = {}
        self._claimed: list[Job] = []
        self._prices: dict[str, Estimate] = {}
        self._attempts: dict[str, Attempt] = {}
        self._queue: list[Task] | None = None
        self._free = free
        self._planner = Planner(self._settings.policy, devices, free)
        self._is_told = False
        self._has_acted = False
        self._stopped = False
        self._lacks_space = ""

    def run(self) -> list[Outcome]:
        """Run every job to its end and return how each ended, in the order they were taken.

        Raises:
            UsageError: another dispatcher or other machines work on the folder, its journal cannot be read, or the
                source gives other jobs than the journal has.
            DispatchInterrupted: Ctrl-C or SIGTERM; all workers have saved.
            StorageError: a run found the disk full or read-only.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(hold_folder(self._folder))
            withdraw_offers(self._folder.parent)
            self._journal = Journal(self._folder / "journal.jsonl")
            stack.callback(self._journal.close)
            stack.enter_context(self._pricing)
            stack.callback(self._launcher.close)
            interruption = stack.enter_context(listen_for_signals())
            self._restore()
            self._loop(interruption)
            self._holders.give_up()
        return [run.outcome for run in self._state.runs.values() if run.outcome is not None]

    def look(self) -> Snapshot:
        """Return how everything stands now."""
        waiting = self._in_order(self._waiting())
        return take_snapshot(self._state, waiting, self._loads(), list(self._attempts.values()), self._prices)

    # The loop

    def _loop(self, interruption: Interruption) -> None:
        while not self._is_done():
            if interruption.signal is not None:
                self._stop_all()
                raise DispatchInterrupted(interruption.signal, self._folder.parent)
            if self._lacks_space:  # every run would end so, one after another
                self._stop_all()
                raise StorageError(self._lacks_space, self._folder.parent)
            self._has_acted, begun = False, time.thread_time()
            self._tick()
            self._wait(time.thread_time() - begun)

    def _wait(self, spent: float) -> None:
        """Wait for the next look: longer where looking costs much and nothing happens, not at all once a run ends."""
        poll = self._settings.poll_s
        wait = poll if self._attempts else min(poll, _IDLE_POLL_S)
        if not self._has_acted:
            wait = max(wait, min(spent / _LOOKING_SHARE, _LONGEST_POLL * poll))
        wait_for_ends([attempt.pid for attempt in self._attempts.values()], wait)

    def _tick(self) -> None:
        for attempt in list(self._attempts.values()):
            self._watch(attempt)
        self._enforce_memory()
        for said in self._holders.poll():
            self._view.note(said)
            self._queue = None
        self._drop_lost_claims()
        self._take()
        self._hear_wishes()
        self._price()
        if not self._state.paused:
            self._start_what_fits()
        self._view.update(self.look)

    def _is_done(self) -> bool:
        over = all(run.outcome is not None for run in self._state.runs.values())
        return over and self._source.is_exhausted()

    def _note(self, event: str, **values: object) -> None:
        """Write an event to disk, then act on it: in this order a crash loses nothing."""
        self._state.apply(self._journal.append(event, **values))
        self._has_acted = True
        if event != "progress":
            self._queue = None

    # Coming back

    def _restore(self) -> None:
        self._state, self._jobs = restore(self._journal.events, self._source)
        are_of_these = self._worked_on_before() == {device.kind for device in self._devices.values()}
        self._note("opened", pid=os.getpid(), devices=[asdict(device) for device in self._devices.values()])
        for run in self._state.runs.values():
            if run.estimate and (are_of_these or run.placement is not None):
                self._prices[run.id] = Estimate(**run.estimate)
            if run.placement is not None:
                self._adopt(run, run.placement)
        if self._settings.retry_failed:
            self._retry_failed()
        if self._servers is not None and not self._is_done():
            for device in self._devices.values():
                self._servers.prepare(device)

    def _worked_on_before(self) -> set[str]:
        """Return the kinds of the devices that the last dispatcher had; a run on a GPU needs other memory than here."""
        opened = (event for event in reversed(self._journal.events) if event["event"] == "opened")
        return {device["kind"] for device in next(opened, {"devices": []})["devices"]}

    def _retry_failed(self) -> None:
        """Give runs that ended badly another go; one that diverged begins anew, for its folder has its end."""
        for run in list(self._state.runs.values()):
            status = run.outcome.status if run.outcome is not None else ""
            if status not in ("failed", "diverged") or run.retried:
                continue
            folder, fresh = self._jobs[run.id].folder, status == "diverged"
            if fresh and folder.exists():
                files = self._files(run.id).path
                files.mkdir(parents=True, exist_ok=True)  # not there where another engine had trained it
                folder.rename(files / "diverged")
            self._note("retried", job=run.id, fresh=fresh)
            self._view.note(f"{run.id} goes once more, since it {status}")
        if all(run.outcome is not None for run in self._state.runs.values()):
            self._view.note("no run goes once more: none failed or diverged that has not had its second go")

    def _adopt(self, run: RunState, placement: Placement) -> None:
        order = Order.read(self._files(run.id).order(run.attempts))
        self._attempts[run.id] = Attempt(self._jobs[run.id], run, order)
        if identify(placement.pid) == placement.identity:
            self._view.note(f"{run.id}: its worker (process {placement.pid}) still lives and is taken over")

    # Workers

    def _watch(self, attempt: Attempt) -> None:
        ended = attempt.has_ended()
        attempt.observe()
        for epoch, metrics in attempt.new_epochs():
            go_on = self._source.progress(attempt.job.id, epoch, metrics)
            self._note("progress", job=attempt.job.id, epoch=epoch, metrics=metrics, go_on=go_on)
        if ended:
            self._settle(attempt)
        elif attempt.run.stopping:
            attempt.ask_to_stop(self._settings.grace_s)
        elif not attempt.killed_for:
            still = attempt.find_standstill(beat_s=self._settings.beat_s, step_s=self._settings.step_s)
            if still:
                attempt.kill_hung(f"hung: {still}")

    def _settle(self, attempt: Attempt) -> None:
        run, result, device = attempt.run, attempt.read_result(), self._devices.get(attempt.device)
        judged = judge(
            run,
            result,
            device_bytes=device.total_bytes if device else 0,
            retries=self._settings.retries,
            stopped=self._stopped,
        )
        del self._attempts[run.id]
        self._forget_paces(attempt.device)
        peak = max(result.peak_bytes or 0, attempt.measured_bytes) or None
        if isinstance(judged, Verdict):
            self._end(run, judged, peak, attempt.spent_seconds if run.attempts == 1 else None)
        else:
            self._note("requeued", job=run.id, peak_bytes=peak, **asdict(judged))
            self._view.note(f"{run.id} goes back into the queue: {judged.reason}")
            if judged.cause == "storage":
                self._lacks_space = judged.reason

    def _end(
        self, run: RunState, verdict: Verdict, peak: int | None = None, worker_seconds: float | None = None
    ) -> None:
        job = self._jobs[run.id]
        summary = RunFolder(job.folder).read_summary() or {}
        self._note(
            "ended",
            job=run.id,
            **asdict(verdict),
            peak_bytes=peak,
            summary=summary,
            attempts=run.attempts,
            worker_seconds=worker_seconds,
        )
        if run.outcome is not None:
            self._source.finish(run.outcome)
            self._pricing.record(job, self._holders.as_if_copied(job, run.outcome, self._prices.get(run.id)))
        self._view.note(f"{run.id} {verdict.status}" + (f": {verdict.reason}" if verdict.reason else ""))
        for waiting in self._waiting()[:_REPRICED]:  # the outcome may have taught the estimate
            self._pricing.ask(self._jobs[waiting.id])

    def _enforce_memory(self) -> None:
        """Kill the worker furthest over its share where those on the CPU hold more than they may."""
        for device in self._devices.values():
            if device.kind != "cpu":
                continue
            free = self._free(device)
            overrunner = find_overrunner(device, self._on(device.name), free)
            if overrunner is not None and not overrunner.killed_for:
                held, total = format_bytes(overrunner.current_bytes), format_bytes(device.total_bytes)
                reason = f"held {held} when memory ran short ({format_bytes(free)} free, runs may hold {total})"
                overrunner.kill(reason, cause="memory")

    def _stop_all(self) -> None:
        self._stopped = True
        self._view.note("stopping: the runs save and go on with the next dispatcher")
        try:
            while self._attempts:
                for attempt in list(self._attempts.values()):
                    attempt.ask_to_stop(self._settings.grace_s)
                    self._watch(attempt)
                time.sleep(min(self._settings.poll_s, 0.1))
        except KeyboardInterrupt:
            for attempt in self._attempts.values():
                attempt.kill("a second Ctrl-C", cause="lost")
            raise

    def _forget_paces(self, device: str) -> None:
        for attempt in self._on(device):
            attempt.forget_pace()

    def _on(self, device: str) -> list[Attempt]:
        return [attempt for attempt in self._attempts.values() if attempt.device == device]

    # The queue

    def _take(self) -> None:
        if self._source.is_exhausted():
            return
        wanted = self._settings.lookahead - len(self._waiting())
        if wanted <= 0:
            return
        jobs = self._source.take(wanted)
        if jobs:
            listed = [{"id": job.id, "folder": str(job.folder), "priority": job.priority} for job in jobs]
            self._note("taken", limit=wanted, jobs=listed)
            self._jobs |= {job.id: job for job in jobs}
            self._claimed += [job for job in jobs if job.claim]

    def _price(self) -> None:
        if self._queue is None:  # something has happened since
            for run in self._waiting():
                if run.id not in self._prices:
                    self._pricing.ask(self._jobs[run.id])
        for id, price in self._pricing.collect():
            run = self._state.runs[id]
            if not run.is_waiting:
                continue
            if not isinstance(price, Estimate):
                self._end(run, Verdict("failed", str(price)))
            elif self._prices.get(id) != price:
                self._prices[id] = price
                self._note("estimated", job=id, estimate=asdict(price))

    def _hear_wishes(self) -> None:
        for event in read_wishes(self._folder / "control.jsonl", self._state.control_offset):
            self._note("control", **event)
            run = self._state.runs.get(event["job"])
            unknown = " (there is no such run)" if event["job"] and run is None else ""
            self._view.note(f"asked to {_WISHES[event['command']]} {event['job'] or 'the queue'}{unknown}")
            if event["command"] == "cancel" and run is not None and run.outcome is None:
                self._cancel(run)

    def _cancel(self, run: RunState) -> None:
        if run.is_waiting:
            self._end(run, Verdict("cancelled", "cancelled by the user"))
        else:
            self._note("stopping", job=run.id, why="cancelled")

    def _drop_lost_claims(self) -> None:
        """Leave alone what another machine has taken over; its worker here stops by itself."""
        for run in (self._state.runs[job.id] for job in self._claimed):
            if run.outcome is None and not run.stopping and not Path(self._jobs[run.id].claim).exists():
                self._cancel(run)

    def _waiting(self) -> list[RunState]:
        return [run for run in self._state.runs.values() if run.is_waiting]

    def _in_order(self, runs: Sequence[RunState]) -> list[RunState]:
        place = {task.id: index for index, task in enumerate(self._queue or ())}
        return sorted(runs, key=lambda run: place.get(run.id, len(place)))

    # Starting

    def _start_what_fits(self) -> None:
        if self._queue is None:
            self._queue = self._plan()
        if not self._queue or not self._launcher.is_ready():
            return
        loads = self._loads()
        admissions = self._planner.admit(self._queue, loads)
        if not admissions and not self._attempts and self._holders.give_up():
            self._view.note("images are copied by every run from now on: nothing fits beside their holders")
            self._queue = None
            return
        if not admissions and not self._attempts and not self._is_told:
            free = max(load.free for load in loads)
            self._view.note(f"nothing fits: at most {format_bytes(free)} are free, other processes hold the rest")
        self._is_told = not admissions and not self._attempts
        for admission in admissions:
            self._start(admission)

    def _plan(self) -> list[Task]:
        """Return what waits and is priced, in the order it is wanted; kept until something happens."""
        waiting = self._waiting()
        unsettled = self._holders.settle([self._jobs[run.id] for run in waiting], self._prices)
        prices = {
            run.id: self._holders.reduce(self._jobs[run.id], self._prices[run.id])
            for run in waiting
            if run.id in self._prices and run.id not in unsettled
        }
        tasks, misfits = self._planner.make_tasks(waiting, self._jobs, prices)
        for misfit in misfits:
            self._end(self._state.runs[misfit.task.id], Verdict("failed", explain_misfit(misfit)))
        return self._planner.order(tasks, may_search=not self._pricing.is_busy)

    def _loads(self) -> list[DeviceLoad]:
        held = {name: self._holders.bytes_on(device) for name, device in self._devices.items()}
        return self._planner.make_loads(list(self._attempts.values()), self._prices, self._is_unproven, held)

    def _is_unproven(self, attempt: Attempt) -> bool:
        """Say whether it is still to be seen what this newcomer needs; not where an earlier run measured it."""
        if self._prices[attempt.job.id].source != "traced":
            return False
        return attempt.is_warming_up(self._settings.warm_up_steps, self._settings.warm_up_s)

    def _start(self, admission: Admission) -> None:
        run, device = self._state.runs[admission.task.id], self._devices[admission.device]
        job, files = self._jobs[run.id], self._files(run.id)
        if self._holders.has_lost(job):
            self._queue = None
            return
        reserved = device.total_bytes if run.alone else int(admission.task.memory)
        order = write_order(
            files,
            job,
            device,
            self._prices[run.id],
            attempt=run.attempts + 1,
            reserved=reserved,
            shared=self._holders.address(job, device),
        )
        process = self._launcher.start(files, order, device, count_threads(job.experiment, device))
        self._note(
            "admitted",
            job=run.id,
            attempt=order.attempt,
            device=device.name,
            pid=process.pid,
            identity=process.identity,
            reserved_bytes=reserved,
        )
        process.release()
        self._forget_paces(device.name)
        self._attempts[run.id] = Attempt(job, run, order, process)
        self._view.note(f"{run.id} starts on {device.name} with {format_bytes(reserved)} (attempt {order.attempt})")

    def _files(self, id: str) -> JobFolder:
        return JobFolder(self._folder / "jobs" / id)
