"""From runs and their prices to the planner's tasks, and from workers to its loads."""

from collections.abc import Callable, Mapping, Sequence

from windtunnel.config.experiment import Experiment
from windtunnel.core.units import format_bytes
from windtunnel.dispatch.accounts import FreeBytes, compute_share, make_load
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.forecast import make_task, typical_seconds
from windtunnel.dispatch.packing import Admission, DeviceLoad, Misfit, Policy, Task, admit, find_misfits, order_tasks
from windtunnel.dispatch.portfolio import check_policy, choose_policy
from windtunnel.dispatch.state import RunState
from windtunnel.dispatch.types import Estimate, Job


class Planner:
    """Says what starts next on some devices; remembers the rule it has chosen.

    Args:
        policy: ``auto`` or the name of a packing policy.
        devices: where runs may go.
        free: says what is free on a device.

    Raises:
        UsageError: there is no such policy.
    """

    def __init__(self, policy: str, devices: Sequence[Device], free: FreeBytes) -> None:
        check_policy(policy)
        self._name = policy
        self._devices = list(devices)
        self._free = free
        self._policy: Policy | None = None
        self._chosen_for: set[str] = set()

    def make_tasks(
        self, runs: Sequence[RunState], jobs: Mapping[str, Job], prices: Mapping[str, Estimate]
    ) -> tuple[list[Task], list[Misfit]]:
        """Return the priced ones of ``runs`` as tasks, and those that no device could hold even when empty."""
        typical = typical_seconds(prices.values())
        tasks = [
            self._make_task(run, jobs[run.id].experiment, prices[run.id], typical) for run in runs if run.id in prices
        ]
        misfits = find_misfits(tasks, self._empty_loads())
        refused = {misfit.task.id for misfit in misfits}
        return [task for task in tasks if task.id not in refused], misfits

    def order(self, tasks: Sequence[Task], *, may_search: bool) -> list[Task]:
        """Return ``tasks`` in the order they are wanted.

        Args:
            tasks: that fit somewhere.
            may_search: whether the rule may be searched for again when there are tasks it was not chosen for.
        """
        if not tasks:
            return []
        ids = {task.id for task in tasks}
        if self._policy is None or (may_search and not ids <= self._chosen_for):
            self._chosen_for = ids
            self._policy = choose_policy(self._name, tasks, self._empty_loads())
        return order_tasks(tasks, self._policy, max(device.total_bytes for device in self._devices))

    def admit(self, ordered: Sequence[Task], loads: Sequence[DeviceLoad]) -> list[Admission]:
        """Return what starts now."""
        return admit(ordered, loads, self._policy) if self._policy is not None else []

    def make_loads(
        self,
        attempts: Sequence[Attempt],
        prices: Mapping[str, Estimate],
        is_unproven: Callable[[Attempt], bool],
        shared: Mapping[str, int],
    ) -> list[DeviceLoad]:
        """Return every device with what is on it; an unproven run counts twice, as it may need more than promised.

        Args:
            attempts: the workers.
            prices: estimates, by job id.
            is_unproven: whether it is still to be seen what a worker needs.
            shared: bytes of images that lie on each device once for all runs, by the device's name.
        """
        loads = []
        for device in self._devices:
            here = [attempt for attempt in attempts if attempt.device == device.name]
            shares = [
                compute_share(count_threads(attempt.job.experiment, device), device, prices[attempt.job.id])
                for attempt in here
            ]
            load = make_load(device, here, shares, self._free(device), shared=shared[device.name])
            load.free = max(load.free - sum(attempt.counted_bytes for attempt in here if is_unproven(attempt)), 0)
            loads.append(load)
        return loads

    def _make_task(self, run: RunState, experiment: Experiment, price: Estimate, typical: float) -> Task:
        allowed = [device for device in self._devices if experiment.runtime.device in ("auto", device.kind)]
        share = compute_share(count_threads(experiment, allowed[0]), allowed[0], price) if allowed else 1.0
        return make_task(
            run.id,
            price,
            typical,
            memory=run.bytes_needed,
            compute=share,
            priority=run.priority,
            alone=run.alone,
            devices=frozenset(device.name for device in allowed),
        )

    def _empty_loads(self) -> list[DeviceLoad]:
        return [
            DeviceLoad(
                device.name,
                device.total_bytes,
                device.total_bytes,
                compute_limit=1.0 if device.kind == "cpu" else float("inf"),
                max_runs=device.max_runs,
            )
            for device in self._devices
        ]


def count_threads(experiment: Experiment, device: Device) -> int:
    """Return the CPU threads of a run: as its settings say, or as its device gives every run."""
    return experiment.runtime.threads or device.threads


def explain_misfit(misfit: Misfit) -> str:
    """Return why no device can hold a run, and what to do."""
    if not misfit.task.devices:
        return "no device here is what runtime.device asks for; set runtime.device=auto, which runs are placed by"
    return (
        f"needs {format_bytes(misfit.task.memory)}, the largest device may hold {format_bytes(misfit.largest)}; lower "
        "data.batch_size or evaluate.batch_size, or raise --memory"
    )
