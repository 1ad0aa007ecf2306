"""Following a dispatcher's journal as it grows."""

from dataclasses import dataclass, field

from windtunnel.catalog.reading import Tail, parse_object
from windtunnel.dispatch.journal import FORMAT, Event
from windtunnel.dispatch.state import SweepState

_UNUSED = ("progress", "control")
"""Events that no timeline shows; what they do to the state is all that is kept of them."""

_PROGRESS, _GOES_ON = b'{"event": "progress"', b'"go_on": true}'
"""How the journal's most frequent line begins and ends: an epoch of a run that goes on changes nothing here."""


@dataclass
class JournalReader:
    """Follows a dispatcher's journal.

    Args:
        tail: the file.
        state: where every run stands.
        events: those that a timeline needs, without the runs' summaries.
        problem: the first line that could not be understood, in words; nothing is read behind it.
    """

    tail: Tail
    state: SweepState = field(default_factory=SweepState)
    events: list[Event] = field(default_factory=list)
    problem: str = ""

    def refresh(self) -> bool:
        """Read on and return whether there was anything."""
        anew, lines = self.tail.read()
        if anew:
            self.state, self.events, self.problem = SweepState(), [], ""
        for line in [line for line in lines if not (line.startswith(_PROGRESS) and line.endswith(_GOES_ON))]:
            if not self.problem:
                self._take(line)
        return anew or bool(lines)

    def _take(self, line: bytes) -> None:
        event = parse_object(line)
        if event is None or (event.get("journal", FORMAT) != FORMAT):
            self.problem = f"{self.tail.path} is damaged: {line[:80].decode('utf-8', 'replace')}"
            return
        if "journal" in event:
            return
        try:
            self.state.apply(event)
        except (LookupError, TypeError, AttributeError) as error:
            self.problem = f"{self.tail.path} has an event that this windtunnel does not know: {error!r}"
            return
        if event["event"] not in _UNUSED:
            self.events.append({key: value for key, value in event.items() if key != "summary"})
