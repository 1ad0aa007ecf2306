"""Estimates made beside the dispatcher's loop, which must not wait for them."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from windtunnel.config.experiment import Experiment
from windtunnel.dispatch.types import Estimate, Job, Outcome
from windtunnel.errors import UsageError

Price = Estimate | UsageError


class Pricing:
    """Asks for estimates one after another in a thread of its own; records outcomes there too."""

    def __init__(
        self,
        estimate: Callable[[Experiment], Estimate],
        record: Callable[[Job, Outcome], None] | None,
    ) -> None:
        self._estimate = estimate
        self._record = record
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pricing")
        self._asked: dict[str, Future[Price]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=kind is None, cancel_futures=kind is not None)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._asked)

    def ask(self, job: Job) -> None:
        """Ask for the job's estimate, unless that was done and not answered yet."""
        if job.id not in self._asked:
            self._asked[job.id] = self._thread.submit(self._price, job)

    def collect(self) -> list[tuple[str, Price]]:
        """Return the estimates that have come in since, or why there is none, by job id."""
        ready = [id for id, future in self._asked.items() if future.done()]
        return [(id, self._asked.pop(id).result()) for id in ready]

    def record(self, job: Job, outcome: Outcome) -> None:
        """Pass on what a run turned out to need, before any later question is answered."""
        if self._record is not None:
            self._thread.submit(self._record, job, outcome)

    def _price(self, job: Job) -> Price:
        try:
            return self._estimate(job.experiment)
        except UsageError as error:
            return error
        except Exception as error:  # one run that cannot be priced must not end the others
            return UsageError(f"its needs could not be estimated: {type(error).__name__}: {error}")
