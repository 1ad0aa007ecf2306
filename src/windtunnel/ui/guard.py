"""Who may ask: the host that was asked for, the token, and the headers that keep a browser from doing more."""

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

import psutil
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Admission:
    """Who is let in.

    Args:
        hosts: names and addresses the page may be asked for by; a page elsewhere whose name was made to point here
            (DNS rebinding) asks for another.
        token: what a visitor must have; empty for anybody.
        cookie: name of the cookie that keeps it.
    """

    hosts: frozenset[str]
    token: str = ""
    cookie: str = "windtunnel"

    def is_served(self, host: str) -> bool:
        """Say whether ``host``, of a Host or Origin header, is ours; its port may be that of a tunnel."""
        return host_name(host) in self.hosts

    def matches(self, token: str) -> bool:
        """Say whether ``token`` is the right one, in a time that does not tell how much of it is."""
        return hmac.compare_digest(token.encode(), self.token.encode())


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def served_hosts(host: str) -> frozenset[str]:
    """Return every name and address under which a server bound to ``host`` is reached."""
    if is_loopback(host):
        return _LOOPBACK | {host}
    names = {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
    addresses = {entry.address.partition("%")[0] for each in psutil.net_if_addrs().values() for entry in each}
    return _LOOPBACK | names | addresses


def make_token() -> str:
    """Return a token that cannot be guessed."""
    return secrets.token_urlsafe(24)


def host_name(host: str) -> str:
    """Return a Host header's name or address without its port.

    >>> host_name("LocalHost:8790"), host_name("[::1]:80"), host_name("::1")
    ('localhost', '::1', '::1')
    """
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


class Guard:
    """Turns away who may not ask and adds the security headers to every answer.

    Args:
        app: what is guarded.
        admission: who is let in.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refuse(scope)
            await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._admission.is_served(headers.get("host", "")):
            return PlainTextResponse("this server is not asked for by that name", 421)
        if not self._admission.token or self._has_token(headers):
            return None
        if scope["path"] == "/" and (given := parse_qs(scope["query_string"].decode("latin-1")).get("token")):
            if self._admission.matches(given[0]):
                return self._welcome()
        return PlainTextResponse("open the address with ?token=... that `windtunnel ui` printed", 401)

    def _has_token(self, headers: Headers) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._admission.matches(bearer.strip()):
            return True
        cookie = _read_cookie(headers.get("cookie", ""), self._admission.cookie)
        return cookie is not None and self._admission.matches(cookie)

    def _welcome(self) -> Response:
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._admission.cookie, self._admission.token, httponly=True, samesite="strict")
        return answer


def _read_cookie(header: str, name: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with_headers
