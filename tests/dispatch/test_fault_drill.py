"""The short form of benchmarks/fault_drill.py, with real training."""

from pathlib import Path

import pytest

from windtunnel.registry import import_object

DRILL = Path(__file__).parents[2] / "benchmarks" / "fault_drill.py"


@pytest.mark.slow
def test_every_run_ends_once_and_as_if_undisturbed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("save_curves", "write_report"):  # of the undisturbed runs, which are trained here
        monkeypatch.setattr(f"windtunnel.training.run.{name}", lambda folder: None)
    report = import_object(f"{DRILL}:drill")(tmp_path / "drill", runs=6, kills=2, seed=0)
    assert report["faults"] == []
    assert report["killed"]["dispatchers"] == 2
    assert report["killed"]["workers"] >= 1
    assert report["requeued"]["memory"] >= 1
    assert report["ended"] == {"finished": 5, "diverged": 1}
