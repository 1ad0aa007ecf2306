"""Binding an address and serving there until somebody stops it."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import uvicorn

from windtunnel.catalog.catalog import Catalog
from windtunnel.errors import UsageError
from windtunnel.ui.app import build_app
from windtunnel.ui.guard import Admission, is_loopback, make_token, served_hosts
from windtunnel.ui.hub import Hub

FIRST_PORT = 8790
_TRIED = 50


@dataclass(frozen=True)
class Place:
    """Where and how the page is served.

    Args:
        host: name or address to bind.
        port: port to bind; None takes the first free one from 8790 on.
        token: what visitors must have; None makes one up where more than this machine can reach the page.
        control: whether queues may be changed from the page.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    token: str | None = None
    control: bool = False


def serve(root: Path, place: Place, *, tell: Callable[[str], None]) -> None:
    """Serve the runs folder ``root`` until Ctrl-C or SIGTERM.

    Args:
        root: the runs folder.
        place: where and how.
        tell: called with the page's address once it can be opened.

    Raises:
        UsageError: the folder cannot be read, or the address cannot be bound.
        KeyboardInterrupt: Ctrl-C; everything is closed.
    """
    server, bound = build_server(root, place, tell=tell)
    with bound:
        server.run(sockets=[bound])


def build_server(root: Path, place: Place, *, tell: Callable[[str], None]) -> tuple[uvicorn.Server, socket.socket]:
    """Return what :func:`serve` runs, and the socket it is bound to.

    Raises:
        UsageError: the folder cannot be read, or the address cannot be bound.
    """
    catalog = Catalog(root)
    bound = _bind(place.host, place.port)
    port = bound.getsockname()[1]
    token = place.token or ("" if is_loopback(place.host) else make_token())
    admission = Admission(served_hosts(place.host), token, f"windtunnel_{port}")
    hub = Hub(catalog)
    config = uvicorn.Config(
        build_app(hub, catalog.root, admission, control=place.control),
        log_level="warning",
        access_log=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=3,
    )
    return _Server(config, hub, started=lambda: tell(make_address(place.host, port, token))), bound


def make_address(host: str, port: int, token: str) -> str:
    """Return what to type into a browser.

    >>> make_address("::1", 8790, "")
    'http://[::1]:8790/'
    >>> make_address("10.0.0.1", 8790, "a&b")
    'http://10.0.0.1:8790/?token=a%26b'
    """
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    name = f"[{shown}]" if ":" in shown else shown
    return f"http://{name}:{port}/" + (f"?token={quote(token, safe='')}" if token else "")


class _Server(uvicorn.Server):
    """Ends the open event streams first, so that stopping does not wait for pages to leave."""

    def __init__(self, config: uvicorn.Config, hub: Hub, *, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._hub = hub
        self._tell_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)


def _bind(host: str, port: int | None) -> socket.socket:
    if port is not None:
        return _bind_one(host, port) or _refuse_port(host, port)
    for candidate in range(FIRST_PORT, FIRST_PORT + _TRIED):
        if (bound := _bind_one(host, candidate)) is not None:
            return bound
    raise UsageError(f"--port: {FIRST_PORT} to {FIRST_PORT + _TRIED - 1} are all in use; give another one")


def _refuse_port(host: str, port: int) -> socket.socket:
    for candidate in range(port + 1, min(port + 1 + _TRIED, 65536)):
        if (bound := _bind_one(host, candidate)) is not None:
            bound.close()
            raise UsageError(f"--port: {port} is in use; {candidate} is free, or leave --port out")
    raise UsageError(f"--port: {port} is in use and so are the {_TRIED} after it; leave --port out")


def _bind_one(host: str, port: int) -> socket.socket | None:
    """Return a socket bound there, or None when the port is taken.

    Raises:
        UsageError: the address is none of this machine's, or the port is not for this user.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"--host: {host!r} is no address ({error}); 127.0.0.1 is this machine alone") from None
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            return None
        if error.errno == errno.EACCES:
            raise UsageError(f"--port: {port} is not for this user; take one above 1023") from None
        raise UsageError(f"--host: {host} cannot be bound ({error.strerror}); 127.0.0.1 always can") from None
    return bound
