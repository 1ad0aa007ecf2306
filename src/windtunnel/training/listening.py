"""Who listens to a run: its own files, the caller's trackers, and those of other packages."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from windtunnel.track.base import Tracker
from windtunnel.track.choice import Tracking
from windtunnel.track.files import FileTracker
from windtunnel.track.relay import Said, relaying
from windtunnel.training.team import Team


@contextmanager
def listeners_of(
    folder: Path, trackers: Sequence[Tracker], tracking: Tracking, team: Team
) -> Iterator[tuple[Tracker, ...]]:
    """Yield all who listen to the run in ``folder``; at the end wait, not long, for the trackers of other packages.

    What these have to say goes to the others, and a warning that nobody would see to the log,
    which prints it unless the program says otherwise.

    Args:
        folder: the run folder.
        trackers: the caller's.
        tracking: trackers of other packages.
        team: nobody but its leader is listened to.
    """
    if not team.is_leader:
        yield ()
        return
    near = (FileTracker(folder), *trackers)

    def say(said: Said) -> None:
        for listener in near:
            listener.message(said.text)
        if said.kind == "warning" and not trackers:
            logging.getLogger(__name__).warning(said.text)

    with relaying(tracking, say, pictures={"curves": folder / "curves.png"}) as relays:
        yield (*near, *relays)
