"""What holds for every test: the same examples every time, and nothing taken from the person's own settings."""

import gc

import pytest
from hypothesis import settings

# A loaded machine is slow, not wrong; and a run that was green stays green.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """Search the tests' own files for tests only; examples in docstrings are in the package."""
    found = yield
    return [each for each in found if not type(each).__name__.startswith("Doctest")]


def pytest_collection_modifyitems(items):
    """Put files with slow tests first, so that no process is left with one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """Spare the collector what stays anyway: it would walk a million objects of modules and tests again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in (
        "WINDTUNNEL_RUNS_DIR",
        "WINDTUNNEL_TRACK",
        "WINDTUNNEL_TRACK_WAIT_S",
        "NO_COLOR",
        "FORCE_COLOR",
        "TTY_COMPATIBLE",
        "COLUMNS",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def forks():
    """Start functions in processes forked from one that has torch and the package imported."""
    from forked import Forks

    return Forks()
