import os
from contextlib import ExitStack

import pytest

from windtunnel.track.choice import TRACKERS, Tracking
from windtunnel.track.relay import relaying

from ..conftest import make_info, make_run_folder

pytestmark = [
    pytest.mark.slow,
    # MLflow's own models use what SQLAlchemy 2.1 has deprecated
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


@pytest.fixture(scope="module")
def client(tracked_slowly):
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow", reason="needs windtunnel[mlflow]")
    pytest.importorskip("sqlalchemy", reason="needs windtunnel[mlflow]")
    return mlflow.MlflowClient(f"sqlite:///{tracked_slowly.home / 'first' / 'mlflow.db'}")


@pytest.fixture(scope="module")
def stored(client):
    (run,) = client.search_runs([client.get_experiment_by_name("tests").experiment_id])
    return run


def test_the_run_goes_on_in_the_store_it_began_in(stored, tracked_slowly):
    assert stored.info.run_name == "0001-ab12-s0"
    assert not (tracked_slowly.home / "second" / "mlflow.db").exists()


def test_epochs_are_stored_over_steps(stored, client):
    history = client.get_metric_history(stored.info.run_id, "train/accuracy")
    assert [(each.step, each.value) for each in history] == [(10, 0.25), (20, 0.5), (20, 0.5), (30, 0.75), (40, 1.0)]
    assert stored.data.metrics["test/accuracy"] == 0.875


def test_settings_are_parameters(stored):
    assert stored.data.params["optim.lr"] == "0.1"
    assert stored.data.params["augment.0.name"] == "random_crop"


def test_environment_sweep_and_ending_are_tags(stored):
    assert stored.data.tags["environment.packages.torch"] == "2.13.0"
    assert stored.data.tags["windtunnel.group"] == "lr_sweep"
    assert (stored.info.status, stored.data.tags["status"]) == ("FINISHED", "finished")


def test_the_picture_is_an_artifact(stored, client, tracked_slowly):
    (artifact,) = client.list_artifacts(stored.info.run_id)
    assert (artifact.path, artifact.file_size) == ("curves.png", (tracked_slowly.folder / "curves.png").stat().st_size)


def test_nothing_secret_is_stored(tracked_slowly, stored):
    content = (tracked_slowly.home / "first" / "mlflow.db").read_bytes()
    assert b"hunter2" not in content  # of an environment variable
    assert b"tellnobody" not in content  # of the command line


def test_runs_that_begin_at_once_share_a_new_store(client, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    said = []
    with ExitStack() as running:
        for name in ("one", "two"):
            folder = make_run_folder(tmp_path / name)
            tracking = Tracking((TRACKERS["mlflow"],), wait_s=200.0)
            (relay,) = running.enter_context(relaying(tracking, said.append, pictures={}))
            relay.start(make_info(folder))
    assert [each for each in said if each.kind == "warning"] == []
