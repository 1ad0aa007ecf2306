"""One look at the runs folder for all pages: who watches hears what changed."""

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from windtunnel.catalog.catalog import Catalog, Change
from windtunnel.errors import WindtunnelError
from windtunnel.ui.answers import describe_change, to_json

LOOK_EVERY_S = 1.0
_FRESH_S = 0.3
_MOST_UNREAD = 200
MOST_LISTENERS = 200


class TooManyListenersError(WindtunnelError):
    """As many pages listen as may."""


class Listener:
    """An open event stream; told from the watching thread, read in the server's loop.

    Args:
        loop: the server's loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._events: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(self, event: str | None) -> None:
        """Hand over an event; None ends the stream, and so does a page that has long not read any."""
        self._loop.call_soon_threadsafe(self._put, event)

    async def next(self, timeout_s: float) -> str | None:
        """Return the next event, a comment when none comes in time, or None at the end."""
        try:
            return await asyncio.wait_for(self._events.get(), timeout_s)
        except TimeoutError:
            return ": still here\n\n"

    def _put(self, event: str | None) -> None:
        unread = self._events.qsize()
        if unread <= _MOST_UNREAD:  # beyond that it has been told the end and is only slow to take it
            self._events.put_nowait(event if unread < _MOST_UNREAD else None)


class Hub:
    """Holds the catalog for all pages, looks after it once a second while anybody watches, and tells what changed.

    Args:
        catalog: what is served.
        every_s: seconds between two looks.
    """

    def __init__(self, catalog: Catalog, *, every_s: float = LOOK_EVERY_S) -> None:
        self.boot = secrets.token_hex(8)
        self.version = 0
        self._catalog = catalog
        self._every_s = every_s
        self._lock = threading.RLock()
        self._listening = threading.Lock()  # held for moments only: the server's loop waits for it
        self._looked_at = 0.0
        self._listeners: set[Listener] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="runs folder", daemon=True)

    def start(self) -> None:
        """Begin to look after the runs folder."""
        self._thread.start()

    def close(self) -> None:
        """End every stream and the looking."""
        self._closed.set()
        self._tell(None)

    @contextmanager
    def catalog(self) -> Iterator[Catalog]:
        """Yield the catalog, looked after lately, for this thread alone."""
        with self._lock:
            if time.monotonic() - self._looked_at > _FRESH_S:
                self._look()
            yield self._catalog

    def check_room(self) -> None:
        """Raise :class:`TooManyListenersError` when 200 pages listen already."""
        with self._listening:
            if len(self._listeners) >= MOST_LISTENERS:
                raise TooManyListenersError(f"{MOST_LISTENERS} pages listen already; close some")

    def subscribe(self, loop: asyncio.AbstractEventLoop) -> Listener:
        """Return a listener that hears the present version first."""
        listener = Listener(loop)
        with self._lock, self._listening:
            listener.tell(make_event("hello", {"boot": self.boot, "version": self.version}))
            self._listeners.add(listener)
        if self._closed.is_set():
            listener.tell(None)
        return listener

    def unsubscribe(self, listener: Listener) -> None:
        """Tell the listener nothing more."""
        with self._listening:
            self._listeners.discard(listener)

    def _watch(self) -> None:
        with self._lock:
            self._look()
            self._catalog.fields()
        while not self._closed.wait(self._every_s):
            with self._lock:
                if self._listeners:
                    self._look()

    def _look(self) -> None:
        change = self._catalog.refresh()
        self._looked_at = time.monotonic()
        if change:
            self.version += 1
            self._tell(change)

    def _tell(self, change: Change | None) -> None:
        with self._listening:
            listeners = list(self._listeners)
        event = None
        if listeners and change is not None:
            told = {**describe_change(change), "problems": self._catalog.problems()}
            event = make_event("change", {"version": self.version, **told})
        for listener in listeners:
            listener.tell(event)


def make_event(name: str, data: dict[str, Any]) -> str:
    """Return a server-sent event.

    >>> make_event("hello", {"version": 3}).splitlines()
    ['event: hello', 'data: {"version":3}', '']
    """
    return f"event: {name}\ndata: {to_json(data)}\n\n"
