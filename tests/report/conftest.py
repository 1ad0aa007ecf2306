import json

import pytest

HEADER = "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds,images_per_second\n"


@pytest.fixture
def run_folder(tmp_path):
    """A run of two epochs, the second validated."""
    folder = tmp_path / "20261122-101500-tiny-1f3a"
    folder.mkdir()
    (folder / "config.yaml").write_text("name: tiny\nseed: 3\n")
    (folder / "overrides.txt").write_text("seed=3\n")
    (folder / "env.json").write_text(json.dumps({"packages": {"torch": "2.13.0"}, "argv": ["windtunnel", "<b>"]}))
    (folder / "metrics.csv").write_text(
        HEADER + "1,10,2.25,0.125,,,0.1,1.5,100.0\n2,20,1.5,0.5,1.75,0.375,0.05,1.25,120.0\n"
    )
    summary = {"status": "finished", "reason": "all epochs trained", "parameters": 6298, "seconds": {"train": 2.75}}
    (folder / "summary.json").write_text(
        json.dumps(summary | {"metrics": {"train_loss": 1.5, "test_accuracy": 0.4375}})
    )
    return folder
