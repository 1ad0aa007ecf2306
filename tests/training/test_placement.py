"""A run on streamed images is the run on resident ones."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from windtunnel.config.experiment import Experiment
from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.data.part import Part
from windtunnel.training.assemble import assemble
from windtunnel.training.run import RunResult, resume, train


class StopAt:
    """Asks the run to stop after a step, as SIGTERM does."""

    def __init__(self, step: int) -> None:
        self.stop_at = step

    def start(self, info: RunInfo) -> None:
        self.info = info

    def step(self, done: StepDone) -> None:
        if done.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def epoch(self, report: EpochReport) -> None:
        pass

    def message(self, text: str) -> None:
        pass

    def finish(self, summary: Any) -> None:
        pass


def placed(experiment: Experiment, placement: str, **fields: Any) -> Experiment:
    tree = experiment.model_dump()
    tree["data"] |= {"placement": placement, "batch_size": 24, "drop_last": False}
    return Experiment.model_validate({**tree, "train": {**tree["train"], "epochs": 2.0}, **fields})


def weights(result: RunResult) -> dict[str, bytes]:
    saved = load_file(result.folder / "checkpoints" / "last.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in saved.items()}


def test_streaming_resident_and_a_resumed_stream_end_with_the_same_bits(tiny: Experiment, runs_dir: Path) -> None:
    resident = train(placed(tiny, "resident"), runs_dir=runs_dir)
    streamed = train(placed(tiny, "streaming"), runs_dir=runs_dir)
    stopped = train(placed(tiny, "streaming"), runs_dir=runs_dir, trackers=[StopAt(8)])
    assert stopped.status == "interrupted"
    gone_on = resume(stopped.folder)
    assert weights(resident) == weights(streamed) == weights(gone_on)
    assert resident.summary["metrics"] == streamed.summary["metrics"]


def test_streaming_never_copies_a_part_into_memory(tiny: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(part: Part) -> None:
        raise AssertionError("the whole part was copied")

    monkeypatch.setattr(Part, "images", property(refuse))
    parts = assemble(placed(tiny, "streaming"))
    assert parts.validation is not None
    assert len(next(iter(parts.loader.epoch(0))).images) == 24
    with pytest.raises(AssertionError, match="copied"):
        assemble(placed(tiny, "resident"))


def test_where_the_images_lie_is_said_at_the_start_and_recorded(tiny: Experiment, runs_dir: Path) -> None:
    listener = StopAt(1)
    result = train(placed(tiny, "auto"), runs_dir=runs_dir, trackers=[listener])
    recorded = json.loads((result.folder / "env.json").read_text())["placement"]
    assert listener.info.placement == recorded
    assert recorded.startswith("images resident (0.0 MiB, ")
    assert recorded.endswith("free on cpu)")
