"""``windtunnel ui``: the live page."""

import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from windtunnel.errors import UsageError


def ui(
    runs_dir: Annotated[
        Path | None, typer.Argument(metavar="RUNS_DIR", help="Folder of runs; default $WINDTUNNEL_RUNS_DIR or ./runs.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve at; any but this machine's own loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to serve at; default the first free one from 8790 on.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="What visitors must have; made up and printed where one is needed.")
    ] = None,
    allow_control: Annotated[
        bool, typer.Option("--allow-control", help="Let the page pause, cancel and reprioritise sweeps' runs.")
    ] = False,
    open_page: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the page; default where there is a screen.")
    ] = None,
) -> None:
    """Follow runs, sweeps and comparisons in the browser.

    Serves one page on this machine, which follows what lies in the folder and what is written there meanwhile. It needs
    no network and changes nothing. Ctrl-C ends it; runs do not notice.

    Examples:
      windtunnel ui
      windtunnel ui /shared/runs --port 9000
      windtunnel ui --host 0.0.0.0
      windtunnel ui --allow-control
    """
    _require_extra()
    from windtunnel.training.folder import default_runs_dir
    from windtunnel.ui.serve import Place, serve

    if token is not None and not token.strip():
        raise UsageError("--token: is empty; leave it out to have one made up")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise UsageError("--token: may hold printable ASCII characters only, since it travels in headers")
    place = Place(host, port, token, allow_control)
    wants_page = _has_screen() if open_page is None else open_page
    # a shell that starts this in the background may ignore Ctrl-C's signal, and then serving just ends
    with suppress(KeyboardInterrupt):
        serve(runs_dir or default_runs_dir(), place, tell=lambda address: _tell(address, wants_page))
    print("stopped")


def _require_extra() -> None:
    missing = [name for name in ("starlette", "uvicorn", "plotly") if find_spec(name) is None]
    if missing:
        raise UsageError(f"the live page needs {', '.join(missing)}: pip install 'windtunnel[ui]'")


def _has_screen() -> bool:
    if not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _tell(address: str, wants_page: bool) -> None:
    print(f"the page is at {address}\nCtrl-C ends it", flush=True)
    if wants_page:
        import webbrowser

        webbrowser.open(address)
