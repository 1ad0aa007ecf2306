"""Weights & Biases, online or offline as ``WANDB_MODE`` says; where nothing says, offline when it cannot log in."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import wandb

from windtunnel.track.sinks.base import RunStart, Scalar

_EXIT_CODES = {"finished": 0, "interrupted": 130}


class WandbSink:
    """One W&B run; its id stays the same when the run goes on."""

    def start(self, run: RunStart) -> str:
        """Begin or continue the W&B run.

        Raises:
            wandb.Error: ``WANDB_MODE=online`` and there is no key or no network.
        """
        self._run, note = self._init_online_or_offline(run)
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        return note

    def epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the figures over the number of steps."""
        self._run.log({"step": step, **metrics})

    def picture(self, name: str, path: Path) -> None:
        """Log the picture."""
        self._run.log({name: wandb.Image(str(path))})

    def finish(self, status: str, metrics: Mapping[str, float], summary: Mapping[str, Scalar]) -> None:
        """Put the test figures in the summary and upload what is left."""
        self._run.summary.update({"status": status, **metrics, **summary})
        self._run.finish(exit_code=_EXIT_CODES.get(status, 1))

    def _init_online_or_offline(self, run: RunStart) -> tuple[wandb.Run, str]:
        try:
            opened = _init(run, None)
        except wandb.Error as error:
            if "WANDB_MODE" in os.environ:
                raise
            opened = _init(run, "offline")
            return opened, f"kept offline ({str(error).splitlines()[0]}); upload: wandb sync {_place(opened)}"
        if opened.offline:
            return opened, f"offline; upload: wandb sync {_place(opened)}"
        return opened, str(opened.url) if opened.url else "kept nowhere: WANDB_MODE turns it off"


def _init(run: RunStart, mode: Literal["offline"] | None) -> wandb.Run:
    """Start the run without what W&B would collect by itself: command line, code, commit, host and its load."""
    settings = wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
    )
    environment = {f"environment.{key}": value for key, value in run.environment.items()}
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT") or run.project,
        name=run.name,
        group=os.environ.get("WANDB_RUN_GROUP") or run.group or None,
        id=run.id,
        resume=None if "offline" in (mode, os.environ.get("WANDB_MODE")) else "allow",
        mode=mode,
        dir=os.environ.get("WANDB_DIR") or str(run.folder),
        config={**run.config, **environment},
        allow_val_change=True,
        settings=settings,
    )


def _place(run: wandb.Run) -> Path:
    return Path(run.dir).parent
