"""trackio: its local database, or the server or Space that its own environment variables name."""

import os
from collections.abc import Mapping
from pathlib import Path

import trackio
from trackio.utils import TRACKIO_DIR

from windtunnel.track.sinks.base import RunStart, Scalar


class TrackioSink:
    """One trackio run, found again by its name, which ends in the run's id."""

    def start(self, run: RunStart) -> str:
        """Begin or continue the run; trackio's own measuring of CPU and GPU would be of this process."""
        environment = {f"environment.{key}": value for key, value in run.environment.items()}
        project = os.environ.get("TRACKIO_PROJECT") or run.project
        self._step = run.start_step
        self._run = trackio.init(
            project=project,
            name=f"{run.name}-{run.id}",
            group=run.group or None,
            config={**run.config, **environment},
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        return f"trackio show --project {project} (in {TRACKIO_DIR})"

    def epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the figures over the number of steps."""
        self._step = step
        self._run.log(dict(metrics), step=step)

    def picture(self, name: str, path: Path) -> None:
        """Log the picture."""
        self._run.log({name: trackio.Image(str(path))}, step=self._step)

    def finish(self, status: str, metrics: Mapping[str, float], summary: Mapping[str, Scalar]) -> None:
        """Log the test figures with how the run ended, and wait until all is stored."""
        self._run.log({**metrics, "status": status}, step=self._step)
        trackio.finish()
