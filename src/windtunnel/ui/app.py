"""The web application: routes, errors, compression, guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from windtunnel.catalog.catalog import UnknownIdError
from windtunnel.errors import WindtunnelError
from windtunnel.ui.control import Control
from windtunnel.ui.guard import Admission, Guard
from windtunnel.ui.hub import Hub, TooManyListenersError
from windtunnel.ui.routes import Api, Json
from windtunnel.ui.static_files import StaticFiles

_SMALLEST_PACKED = 2000
_QUICKEST = 1  # loopback is fast: the first level halves the bytes in a few milliseconds, the others take much longer


def build_app(hub: Hub, root: Path, admission: Admission, *, control: bool = False) -> Starlette:
    """Return the application.

    Args:
        hub: looks after the runs folder; started and closed with the application.
        root: the runs folder, for people.
        admission: who is let in.
        control: whether queues may be changed.
    """
    files = StaticFiles()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        hub.start()
        files.start()
        yield
        hub.close()

    pages = [Route("/", files.page, methods=["GET"]), Route("/static/{name}", files.file, methods=["GET"])]
    return Starlette(
        routes=[*pages, *Api(hub, root, control).routes(), *Control(hub, allowed=control).routes()],
        middleware=[
            Middleware(Guard, admission=admission),
            Middleware(GZipMiddleware, minimum_size=_SMALLEST_PACKED, compresslevel=_QUICKEST),
        ],
        exception_handlers={
            UnknownIdError: _refuse_unknown,
            TooManyListenersError: _refuse_listener,
            WindtunnelError: _refuse_parameter,
            OSError: _refuse_gone,
            HTTPException: _refuse_address,
        },
        lifespan=lifespan,
    )


def _refuse_unknown(request: Request, error: Exception) -> Response:
    return Json({"error": str(error)}, 404)


def _refuse_parameter(request: Request, error: Exception) -> Response:
    return Json({"error": str(error)}, 422)


def _refuse_listener(request: Request, error: Exception) -> Response:
    return Json({"error": str(error)}, 429, {"Retry-After": "30"})


def _refuse_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Json({"error": error.detail}, error.status_code, error.headers)


def _refuse_gone(request: Request, error: Exception) -> Response:
    return Json({"error": f"a file went away, or cannot be read: {error}"}, 404)
