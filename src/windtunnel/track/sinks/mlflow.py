"""MLflow: the server or store that ``MLFLOW_TRACKING_URI`` names, else MLflow's own default, ``mlflow.db``."""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from mlflow import MlflowClient, get_tracking_uri
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from windtunnel.core.files import write_json
from windtunnel.track.choice import read_record
from windtunnel.track.sinks.base import RunStart, Scalar

_STATUS = {"finished": "FINISHED", "diverged": "FAILED", "crashed": "FAILED", "interrupted": "KILLED"}
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000
_BATCH = 100

T = TypeVar("T")


class MlflowSink:
    """One MLflow run; it is found again by its id when the run goes on."""

    def start(self, run: RunStart) -> str:
        """Create the run, or set it running again."""
        record = read_record(run.record)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or record.get("uri") or get_tracking_uri()
        with _one_at_a_time(uri):
            self._client = MlflowClient(tracking_uri=uri)
        self._step = run.start_step
        self._id = self._find(record.get("run_id")) or self._create(run)
        kept_uri = {} if os.environ.get("MLFLOW_TRACKING_URI") else {"uri": uri}  # the variable's may hold a password
        write_json(run.record, {**record, **kept_uri, "run_id": self._id})
        return f"run {self._id}" + (f" in {kept_uri['uri']}" if kept_uri else "")

    def epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the figures over the number of steps."""
        self._step = step
        now = round(time.time() * 1000)
        self._client.log_batch(self._id, metrics=[Metric(name, value, now, step) for name, value in metrics.items()])

    def picture(self, name: str, path: Path) -> None:
        """Keep the file with the run."""
        self._client.log_artifact(self._id, str(path))

    def finish(self, status: str, metrics: Mapping[str, float], summary: Mapping[str, Scalar]) -> None:
        """Log the test figures and set how the run ended."""
        self.epoch(self._step, metrics)
        self._tag({"status": status, **summary})
        self._client.set_terminated(self._id, _STATUS[status])

    def _find(self, run_id: str | None) -> str | None:
        """Return the id if that run is still in this store, and set it running."""
        if run_id is None:
            return None
        try:
            self._client.update_run(run_id, status="RUNNING")
        except MlflowException:
            return None
        return run_id

    def _create(self, run: RunStart) -> str:
        tags = {"windtunnel.group": run.group} if run.group else {}
        experiment = self._find_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.project)
        created: str = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        params = [Param(key, str(value)[:_LONGEST_PARAM]) for key, value in run.config.items()]
        for part in _parts(params):
            self._client.log_batch(created, params=part)
        self._id = created
        self._tag({f"environment.{key}": value for key, value in run.environment.items()})
        return created

    def _find_experiment(self, name: str) -> str:
        """Return the experiment's id; of several processes that begin at once, one creates it."""
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException:
            if found := self._client.get_experiment_by_name(name):
                return str(found.experiment_id)
            raise

    def _tag(self, values: Mapping[str, Scalar]) -> None:
        for part in _parts([RunTag(key, str(value)[:_LONGEST_TAG]) for key, value in values.items()]):
            self._client.log_batch(self._id, tags=part)


@contextmanager
def _one_at_a_time(uri: str) -> Iterator[None]:
    """Let one process of this machine at a time open a SQLite store: two that create its tables at once fail."""
    if not uri.startswith("sqlite:"):
        yield
        return
    name = f"windtunnel-mlflow-{os.getuid()}-{hashlib.sha256(uri.encode()).hexdigest()[:16]}.lock"
    with (Path(tempfile.gettempdir()) / name).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _parts(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
