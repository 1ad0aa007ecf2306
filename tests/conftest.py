"""What holds for every test: the same examples every time, and nothing taken from the person's own settings."""

import pytest
from hypothesis import settings

# A loaded machine is slow, not wrong; and a run that was green stays green.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


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
