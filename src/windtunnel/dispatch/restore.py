"""Bringing a new source to where the journal says an earlier one was, call by call."""

from collections.abc import Iterable

from windtunnel.dispatch.journal import Event
from windtunnel.dispatch.state import SweepState
from windtunnel.dispatch.types import Job, JobSource
from windtunnel.errors import UsageError


def restore(events: Iterable[Event], source: JobSource) -> tuple[SweepState, dict[str, Job]]:
    """Tell ``source`` what it was told before, in the same order, and return where every run stands.

    Raises:
        UsageError: the source gives other jobs than it gave then.
    """
    state = SweepState()
    jobs: dict[str, Job] = {}
    for event in events:
        state.apply(event)
        match event["event"]:
            case "taken":
                jobs |= _take_again(event, source)
            case "progress":
                source.progress(event["job"], event["epoch"], event["metrics"])
            case "ended":
                outcome = state.runs[event["job"]].outcome
                if outcome is not None:
                    source.finish(outcome)
    return state, jobs


def _take_again(event: Event, source: JobSource) -> dict[str, Job]:
    taken = {job.id: job for job in source.take(event["limit"])}
    before = [job["id"] for job in event["jobs"]]
    if list(taken) != before:
        changed = next((id for id in before if id not in taken), None) or next(iter(taken), "nothing")
        raise UsageError(
            f"the journal has other runs than the sweep now gives (see {changed!r}): its definition was changed; "
            "put it back, or use a new folder"
        )
    return taken
