"""Changing a sweep's queue from the page, where ``--allow-control`` was given."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.ui.hub import Hub
from windtunnel.ui.parameters import BadParameterError
from windtunnel.ui.routes import Json

_MOST_BYTES = 10_000
_MOST_PRIORITY = 1000


class Control:
    """Takes wishes and writes them down for the sweep's dispatcher, as ``windtunnel queue`` does.

    Args:
        hub: holds the catalog.
        allowed: whether anybody may.
    """

    def __init__(self, hub: Hub, *, allowed: bool) -> None:
        self._hub = hub
        self._allowed = allowed

    def routes(self) -> list[Route]:
        """Return the address."""
        return [Route("/api/queue", self.queue, methods=["POST"])]

    async def queue(self, request: Request) -> Response:
        """Write down what a page wishes."""
        if not self._allowed:
            return Json({"error": "start `windtunnel ui` with --allow-control to change queues"}, 403)
        if not self._is_own_page(request):
            return Json({"error": "another site's page may not ask this"}, 403)
        body = await _receive(request)
        return Json({"done": await run_in_threadpool(self._send, _read_body(body))})

    def _is_own_page(self, request: Request) -> bool:
        """Say whether the request comes from our own page, or from no page at all."""
        origin = request.headers.get("origin")
        is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
        if origin is None:
            return is_json and request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        return is_json and origin.partition("://")[2] == request.headers.get("host", "")

    def _send(self, asked: dict[str, Any]) -> str:
        wish = _make_wish(asked)
        with self._hub.catalog() as catalog:
            sweep = catalog.sweep(_text(asked, "sweep"))
            run = sweep.runs.get(wish.job)
        if wish.job and run is None:
            raise BadParameterError(f"run: the sweep has no run {wish.job!r}")
        if run is not None and run.outcome is not None:
            raise BadParameterError(f"run: {wish.job} has ended already: {run.outcome.status}")
        if not sweep.journal.events:
            raise BadParameterError("sweep: no dispatcher has worked on it yet")
        send_wish(sweep.path / "dispatch" / "control.jsonl", wish)
        at_work = sweep.row is not None and sweep.row.status != "idle"
        return f"written down; {'the dispatcher follows within a second' if at_work else 'the next dispatcher follows'}"


async def _receive(request: Request) -> bytes:
    """Return the request's body; one that is too long is not waited for."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise BadParameterError(f"body: has more than {_MOST_BYTES} bytes")
    return body


def _read_body(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BadParameterError("body: is no JSON") from None
    if not isinstance(value, dict):
        raise BadParameterError("body: is no JSON object")
    return value


def _make_wish(asked: dict[str, Any]) -> Wish:
    match _text(asked, "action"):
        case "pause":
            return Wish("pause")
        case "resume":
            return Wish("resume")
        case "cancel":
            return Wish("cancel", _text(asked, "run"))
        case "prioritise":
            return Wish("priority", _text(asked, "run"), _read_priority(asked))
        case other:
            raise BadParameterError(f"action: {other[:80]!r} is none of pause, resume, cancel, prioritise")


def _read_priority(asked: dict[str, Any]) -> int:
    priority = asked.get("priority")
    if not isinstance(priority, int) or isinstance(priority, bool) or abs(priority) > _MOST_PRIORITY:
        raise BadParameterError(f"priority: has to be a whole number from -{_MOST_PRIORITY} to {_MOST_PRIORITY}")
    return priority


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise BadParameterError(f"{name}: is missing or no text")
    return value
