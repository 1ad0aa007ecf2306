import http.server
import threading
from pathlib import Path

import pytest

from windtunnel.registry import import_object

CAMPAIGNS = Path(__file__).parents[2] / "benchmarks" / "faults"


@pytest.fixture(scope="session")
def failing():
    """The campaigns' disk that fails: ``failing(folder, kind, at)`` is a block."""
    return import_object(f"{CAMPAIGNS / 'failing.py'}:Failing")


@pytest.fixture(scope="session")
def find_damage():
    """The campaigns' look at a folder's files."""
    return import_object(f"{CAMPAIGNS / 'examine.py'}:find_damage")


@pytest.fixture
def server():
    """A file server on this machine; ``requests`` holds what it was asked for."""
    from faults.stand_ins import Handler

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    for variable in ("WINDTUNNEL_DATA_DIR", "WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
