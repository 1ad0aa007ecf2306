import json

import pytest

from windtunnel.core.reports import EpochReport, RunInfo


@pytest.fixture(autouse=True)
def _no_trackers_of_ones_own(monkeypatch):
    for name in ("WINDTUNNEL_TRACK", "WINDTUNNEL_TRACK_WAIT_S"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run_folder(tmp_path):
    return make_run_folder(tmp_path / "project" / "20261122-101500-tiny-1f3a")


def make_run_folder(folder):
    """Make what a run folder holds when training starts."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "name: tiny\nproject: tests\nseed: 3\noptim: {name: sgd, lr: 0.1, nesterov: true}\n"
        "augment: [{name: random_crop, padding: 1}]\ntrain: {max_minutes: null}\n"
    )
    environment = {"argv": ["windtunnel", "train", "tellnobody"], "packages": {"torch": "2.13.0"}, "git": None}
    (folder / "env.json").write_text(json.dumps(environment))
    return folder


def make_info(folder, *, start_step=0):
    return RunInfo("tiny", str(folder), "cpu", "float32", 1200, 128, start_step, 40, 4.0)


def make_report(epoch):
    return EpochReport(epoch, 10 * epoch, 2.0 / epoch, 0.25 * epoch, None, None, 0.1, 1.0, 128.0, memory_bytes=1 << 20)


def make_summary(status="finished"):
    metrics = {"train_loss": 0.5, "test_accuracy": 0.875, "test_loss": 0.25}
    return {
        "status": status,
        "reason": "all epochs trained",
        "metrics": metrics,
        "steps": 40,
        "seconds": {"train": 4.0},
    }
