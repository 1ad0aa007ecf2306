"""The plainest source of jobs: a fixed list."""

from collections import deque
from collections.abc import Iterable

from windtunnel.dispatch.types import Job, Outcome


class FixedJobs:
    """Gives out a list of jobs in its order, stops none of them, keeps how each ended in ``outcomes``."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._left = deque(jobs)
        self.outcomes: dict[str, Outcome] = {}

    def take(self, limit: int) -> list[Job]:
        """Return the next jobs."""
        return [self._left.popleft() for _ in range(min(limit, len(self._left)))]

    def progress(self, job: str, epoch: int, metrics: dict[str, float]) -> bool:
        """Let every run go on."""
        return True

    def finish(self, outcome: Outcome) -> None:
        """Keep how a job ended."""
        self.outcomes[outcome.job] = outcome

    def is_exhausted(self) -> bool:
        """Say whether the list is used up."""
        return not self._left
