"""One process of a team that trains the cases of test_team.py: ``python team_member.py OUT``, started by torchrun."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from windtunnel.config.experiment import Experiment
from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.training.assemble import assemble
from windtunnel.training.loop import train_epochs
from windtunnel.training.run import resume, train
from windtunnel.training.state import TrainState
from windtunnel.training.team import Team, join_team

BASE: dict[str, Any] = {
    "name": "team",
    "data": {
        "source": "digits",
        "split": {"name": "official", "validation": 0.1},
        "batch_size": 32,
        "train_limit": 120,
        "drop_last": False,
    },
    "augment": [{"name": "random_crop", "padding": 1}],
    "model": {"name": "mlp", "widths": [24, 16]},
    "optim": {"name": "sgd", "lr": 0.2},
    "schedule": "constant",
    "train": {"epochs": 2.0},
    "runtime": {"device": "cpu", "tune_allocator": False, "augment_backend": "torch"},
}
CASES: dict[str, dict[str, Any]] = {
    "mixup, clipping, ema": {
        "augment": [{"name": "random_crop", "padding": 1}, {"name": "mixup"}],
        "train": {"epochs": 2.0, "clip_norm": 0.5},
        "ema": {},
    },
    "sum, accumulated, streamed": {
        "loss": {"name": "cross_entropy", "reduction": "sum"},
        "optim": {"name": "sgd", "lr": 0.005},
        "train": {"epochs": 2.0, "accumulate": 2},
        "data": {**BASE["data"], "placement": "streaming"},
    },
    "sam, plateau": {
        "optim": {"name": "adamw"},
        "schedule": {"name": "plateau", "patience": 1, "threshold": 10.0},
        "train": {"epochs": 4.0, "sam": {}},
    },
}


def train_case(name: str, team: Team) -> dict[str, Any]:
    """Return what a case came to on this process: the sum of losses after every step, reports, weights."""
    parts = assemble(Experiment.model_validate({**BASE, **CASES[name]}), team=team)
    state = TrainState.fresh(parts.device)
    sums, reports = [], []
    for event in train_epochs(parts, state):
        if isinstance(event, EpochReport):
            reports.append((event.train_loss, event.train_accuracy, event.val_loss, event.val_accuracy, event.lr))
        else:
            sums.append(state.loss_sum.item())
    weights = torch.cat([parameter.detach().flatten() for parameter in parts.model.parameters()])
    return {"sums": sums, "reports": reports, "weights": weights}


class StopAt:
    """Asks the run to stop after a step, as SIGTERM does."""

    def __init__(self, step: int) -> None:
        self.stop_at = step

    def step(self, done: StepDone) -> None:
        """Ask."""
        if done.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def start(self, info: RunInfo) -> None:
        """Nothing."""

    def epoch(self, report: EpochReport) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Nothing."""


def train_whole_and_in_two(out: Path, team: Team) -> dict[str, Path]:
    """Return the folders of a run trained through and of one stopped and resumed, with dropout."""
    fields = {"model": {"name": "mlp", "widths": [16], "dropout": 0.3}, "data": {**BASE["data"], "train_limit": 128}}
    experiment = Experiment.model_validate({**BASE, **fields})
    whole = train(experiment, runs_dir=out, team=team)
    stopped = train(experiment, runs_dir=out, trackers=[StopAt(3)], team=team)
    assert stopped.status == "interrupted"
    gone_on = resume(stopped.folder, team=team)
    return {"whole": whole.folder, "gone on": gone_on.folder}


def main(out: Path) -> None:
    """Train every case and write what it came to beside the others'."""
    with join_team() as team:
        came_to: dict[str, Any] = {name: train_case(name, team) for name in CASES}
        came_to["runs"] = {name: str(path) for name, path in train_whole_and_in_two(out, team).items()}
        torch.save(came_to, out / f"{team.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
