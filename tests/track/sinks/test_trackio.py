import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest


@pytest.fixture(scope="module")
def rows(tracked):
    """The rows of trackio's database, step and figures, run by run."""
    if importlib.util.find_spec("trackio") is None:
        pytest.skip("needs windtunnel[trackio]")
    with closing(sqlite3.connect(tracked.home / "trackio" / "tests.db")) as database:
        found = database.execute("select run_name, step, metrics from metrics order by id").fetchall()
    return [(name, step, json.loads(metrics)) for name, step, metrics in found]


@pytest.fixture(scope="module")
def stored(tracked, rows):
    """What trackio's own command line says of the run."""
    words = ["get", "run", "--project", "tests", "--run", rows[0][0], "--json"]
    command = [sys.executable, "-c", "from trackio.cli import main; main()", *words]
    environment = {**os.environ, "TRACKIO_DIR": str(tracked.home / "trackio")}
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


def test_the_run_goes_on_under_its_name(rows):
    (name,) = {name for name, _, _ in rows}
    assert name.startswith("0001-ab12-s0-")


def test_settings_environment_and_sweep_are_its_config(stored):
    assert stored["config"]["optim.lr"] == 0.1
    assert stored["config"]["environment.packages.torch"] == "2.13.0"
    assert stored["config"]["_Group"] == "lr_sweep"


def test_epochs_are_stored_over_steps(rows):
    epochs = [(step, figures["train/accuracy"]) for _, step, figures in rows if "epoch" in figures]
    assert epochs == [(10, 0.25), (20, 0.5), (20, 0.5), (30, 0.75), (40, 1.0)]


def test_the_ending_and_the_picture_are_stored(stored, tracked):
    assert {"test/accuracy", "status", "curves"} <= set(stored["metrics"])
    (picture,) = (tracked.home / "trackio" / "media").rglob("*.png")
    assert picture.read_bytes() == (tracked.folder / "curves.png").read_bytes()


def test_nothing_secret_is_stored(stored, tracked):
    content = (tracked.home / "trackio" / "tests.db").read_bytes()
    assert b"hunter2" not in content  # of an environment variable
    assert b"tellnobody" not in content  # of the command line
