"""The part of the probe that imports torch, in a process of its own.

``python -m windtunnel.reproduction.probe_child PROBES.json`` answers each experiment of the file with a line of JSON.
"""

import json
import statistics
import sys
import time
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch

from windtunnel.comparison.launch import stop_with_parent
from windtunnel.config.experiment import Experiment
from windtunnel.config.problems import validate_tree
from windtunnel.core.device import synchronize
from windtunnel.errors import UsageError
from windtunnel.training.assemble import Parts, assemble, initialise_from_data
from windtunnel.training.environment import process_settings
from windtunnel.training.loop import recorded_update
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

_WARM_UP = {"cpu": 2, "cuda": 10}
_LEAST, _MOST = 2, 50
_LONG_ENOUGH_S = 3.0


def main() -> None:
    """Measure every experiment of the file that the only argument names; the first that cannot be had ends it."""
    ready = 0.0
    for tree in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        try:
            experiment = validate_tree(Experiment, tree, "the probe")
            with process_settings(experiment.runtime):
                parts = assemble(experiment)
                ready = ready or time.monotonic()
                answer = measure_pace(parts) | {"ready": ready}
        except UsageError as error:
            _tell({"error": str(error)})
            return
        _tell(answer)


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def measure_pace(parts: Parts) -> dict[str, Any]:
    """Return the seconds for an image trained on and for one predicted, and how many images each part has."""
    initialise_from_data(parts)
    data = parts.data
    return {
        "train_seconds": _time_training(parts),
        "evaluate_seconds": _time_prediction(parts),
        "train": len(data.train),
        "validation": len(data.validation) if data.validation is not None else 0,
        "test": len(data.test) if data.test is not None else 0,
    }


def _time_training(parts: Parts) -> float:
    state = TrainState.fresh(parts.device)
    update = recorded_update(parts, state)
    seconds: list[float] = []
    warm_up = _WARM_UP[parts.device.type]
    mark = time.perf_counter()
    for batch in chain.from_iterable(parts.loader.epoch(epoch) for epoch in count()):
        train_step(parts, state, batch, update)
        synchronize(parts.device)
        now = time.perf_counter()
        seconds.append(now - mark)
        mark = now
        measured = seconds[warm_up:]
        if len(measured) >= _MOST or (len(measured) >= _LEAST and sum(measured) > _LONG_ENOUGH_S):
            break
    return statistics.fmean(seconds[warm_up:]) / parts.experiment.data.batch_size


def _time_prediction(parts: Parts) -> float:
    batch = next(iter(parts.loader.epoch(0)))
    parts.model.eval()
    seconds = []
    with torch.inference_mode(), parts.precision.autocast():
        for _ in range(1 + _LEAST):
            mark = time.perf_counter()
            parts.model(batch.images)
            synchronize(parts.device)
            seconds.append(time.perf_counter() - mark)
    return statistics.fmean(seconds[1:]) / len(batch.images)


if __name__ == "__main__":
    stop_with_parent()
    main()
