from types import SimpleNamespace

import pytest

from windtunnel.cli.main import main


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Run the command line in an empty folder and return its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINDTUNNEL_RUNS_DIR", raising=False)
    monkeypatch.delenv("WINDTUNNEL_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        printed = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=printed.out, err=printed.err)

    return call
