"""The page's own files and plotly's, out of the installed packages."""

import gzip
import hashlib
import threading
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_A_WEEK_S = 7 * 24 * 3600
FOLDER = Path(__file__).parent / "static"
PLOTLY = "plotly.min.js"


class StaticFiles:
    """Answers with files out of a fixed list; each has an ETag, so that a browser asks but does not fetch again."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._plotly = find_plotly()
        self._packed: tuple[bytes, str] | None = None

    def start(self) -> None:
        """Pack plotly's 5 MB in the background; until that is done they are sent as they are."""
        threading.Thread(target=self._pack, name="plotly", daemon=True).start()

    def page(self, request: Request) -> Response:
        """Return the page."""
        return self._send(request, "index.html")

    def file(self, request: Request) -> Response:
        """Return one of the page's files."""
        name = request.path_params["name"]
        return self._send_plotly(request) if name == PLOTLY else self._send(request, name)

    def _send(self, request: Request, name: str) -> Response:
        path = self._folder / name
        if path.suffix not in _TYPES or path.name not in {each.name for each in self._folder.iterdir()}:
            return Response("there is no such file", 404, media_type="text/plain")
        content = path.read_bytes()
        tag = _tag(content)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(content, media_type=_TYPES[path.suffix], headers={"ETag": tag, "Cache-Control": "no-cache"})

    def _send_plotly(self, request: Request) -> Response:
        if self._plotly is None:
            return Response("plotly is not installed", 404, media_type="text/plain")
        state = self._plotly.stat()
        tag = f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={_A_WEEK_S}", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        packed = self._packed
        if packed is not None and packed[1] == tag and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed[0], media_type=_TYPES[".js"], headers={**headers, "Content-Encoding": "gzip"})
        identity = {"Content-Encoding": "identity"}  # keeps the compression of other answers from packing it each time
        return Response(self._plotly.read_bytes(), media_type=_TYPES[".js"], headers={**headers, **identity})

    def _pack(self) -> None:
        if self._plotly is not None:
            state = self._plotly.stat()
            content = gzip.compress(self._plotly.read_bytes(), 6)
            self._packed = (content, f'"{state.st_mtime_ns:x}-{state.st_size:x}"')


def find_plotly() -> Path | None:
    """Return plotly's script in the installed package, without importing it; None where there is none."""
    found = find_spec("plotly")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "package_data" / PLOTLY
    return path if path.is_file() else None


def _tag(content: bytes) -> str:
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
