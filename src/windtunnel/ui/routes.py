"""What is answered to which address; every answer but the page, its files and its pictures is JSON."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from windtunnel import __version__
from windtunnel.catalog.catalog import UnknownIdError
from windtunnel.catalog.sweeps import SweepReader
from windtunnel.sweeps.importance import Importance, compute_importance
from windtunnel.sweeps.results import Results
from windtunnel.ui import answers
from windtunnel.ui.hub import Hub
from windtunnel.ui.parameters import counts_beside, many_texts, one_count, one_text, texts_beside

COMMENT_EVERY_S = 15.0
_LOG_BYTES, _MOST_LOG_BYTES = 20_000, 1_000_000


class Json(Response):
    """Plain values as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return ``content`` as bytes."""
        return answers.to_json(content).encode()


@dataclass
class Api:
    """Answers from a hub's catalog.

    Args:
        hub: holds the catalog.
        root: the runs folder, for people.
        control: whether queues may be changed.
    """

    hub: Hub
    root: Path
    control: bool = False
    _importances: dict[str, tuple[SweepReader, int, Importance | None]] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """Return all addresses."""
        handlers: dict[str, Callable[[Request], Any]] = {
            "about": self.about,
            "runs": self.runs,
            "fields": self.fields,
            "values": self.values,
            "curves": self.curves,
            "run": self.run,
            "difference": self.difference,
            "log": self.log,
            "picture": self.picture,
            "sweep": self.sweep,
            "timeline": self.timeline,
            "comparison": self.comparison,
            "events": self.events,
        }
        return [Route(f"/api/{name}", handler, methods=["GET"]) for name, handler in handlers.items()]

    def about(self, request: Request) -> Response:
        """Say what is served."""
        return Json({"version": __version__, "root": str(self.root), "control": self.control, "boot": self.hub.boot})

    def runs(self, request: Request) -> Response:
        """Return the tables."""
        with self.hub.catalog() as catalog:
            return Json(
                {
                    "version": self.hub.version,
                    "runs": answers.describe_rows(catalog.run_rows()),
                    "sweeps": answers.describe_rows(catalog.sweep_rows()),
                    "comparisons": answers.describe_rows(catalog.comparison_rows()),
                    "problems": catalog.problems(),
                }
            )

    def fields(self, request: Request) -> Response:
        """Return the config fields."""
        with self.hub.catalog() as catalog:
            return Json({"fields": [{"name": name, "distinct": count} for name, count in catalog.fields()]})

    def values(self, request: Request) -> Response:
        """Return every run's values of some config fields."""
        names = many_texts(request, "field")
        with self.hub.catalog() as catalog:
            return Json({"values": {name: catalog.values(name) for name in names}})

    def curves(self, request: Request) -> Response:
        """Return the curves of some runs; those that are gone are named apart."""
        ids = many_texts(request, "id")
        firsts, generations = counts_beside(request, "from", len(ids)), texts_beside(request, "generation", len(ids))
        curves, missing = {}, []
        with self.hub.catalog() as catalog:
            for id, first, generation in zip(ids, firsts, generations, strict=True):
                try:
                    found = catalog.curves(id, first=first, generation=generation)
                except UnknownIdError:
                    missing.append(id)
                else:
                    curves[id] = answers.describe_curves(found)
        if not curves:
            raise UnknownIdError(f"there is no run {missing[0]!r} (any more)")
        return Json({"curves": curves, "missing": missing})

    def run(self, request: Request) -> Response:
        """Return a run in full."""
        id = one_text(request, "id")
        with self.hub.catalog() as catalog:
            return Json(answers.describe_details(catalog.run(id).row, catalog.details(id)))

    def difference(self, request: Request) -> Response:
        """Return where two runs' configs differ."""
        id, other = one_text(request, "id"), one_text(request, "to")
        with self.hub.catalog() as catalog:
            found = catalog.difference(id, other)
        return Json({"differences": [{"field": name, "a": a, "b": b} for name, a, b in found]})

    def log(self, request: Request) -> Response:
        """Return the end of a run's log."""
        id = one_text(request, "id")
        most = one_count(request, "bytes", _LOG_BYTES, most=_MOST_LOG_BYTES)
        with self.hub.catalog() as catalog:
            return Json({"text": catalog.log(id, most=most)})

    def picture(self, request: Request) -> Response:
        """Return a picture of a run."""
        id, name = one_text(request, "id"), one_text(request, "name")
        with self.hub.catalog() as catalog:
            return Response(catalog.picture(id, name), media_type="image/png")

    def sweep(self, request: Request) -> Response:
        """Return a sweep with every run."""
        id = one_text(request, "id")
        with self.hub.catalog() as catalog:
            reader, results = catalog.sweep(id), catalog.sweep(id).results()
            known = frozenset(row.id for row in catalog.run_rows() if row.parent == id)
        if results is None:
            return Json({"error": reader.row.problem if reader.row else "its definition cannot be read"}, 422)
        return Json(answers.describe_sweep(reader, results, self._weigh(reader, results), known))

    def timeline(self, request: Request) -> Response:
        """Return a sweep's timeline."""
        id = one_text(request, "id")
        with self.hub.catalog() as catalog:
            found, sweep = catalog.timeline(id), catalog.sweep(id)
            known = {row.id for row in catalog.run_rows() if row.parent == id}
            run_ids = {job: run for job in sweep.runs if (run := sweep.run_id(job)) in known}
        if found is None:
            raise UnknownIdError(f"no dispatcher has worked on {id!r} yet")
        return Json(answers.describe_timeline(id, run_ids, found))

    def comparison(self, request: Request) -> Response:
        """Return a comparison with every trial."""
        id = one_text(request, "id")
        with self.hub.catalog() as catalog:
            return Json(answers.describe_comparison(*catalog.comparison(id)))

    async def events(self, request: Request) -> Response:
        """Return the stream of what changes."""
        headers = {"X-Accel-Buffering": "no"}
        if request.method == "HEAD":  # which wants no body, and would wait for the end of this one
            return Response(media_type="text/event-stream", headers=headers)
        self.hub.check_room()
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    async def _stream(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        listener = await asyncio.to_thread(self.hub.subscribe, loop)
        try:
            while (event := await listener.next(COMMENT_EVERY_S)) is not None:
                yield event
        finally:
            self.hub.unsubscribe(listener)

    def _weigh(self, sweep: SweepReader, results: Results) -> Importance | None:
        """Return what mattered in a sweep; worked out anew only when another run has ended."""
        ended = sum(run.status == "finished" for run in results.runs)
        known = self._importances.get(sweep.id)
        if known is None or known[:2] != (sweep, ended):
            known = self._importances[sweep.id] = (sweep, ended, compute_importance(results))
        return known[2]
