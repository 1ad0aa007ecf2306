"""How long an update of an experiment takes here; a process of its own, since some settings hold for a process.

Usage: python -m windtunnel.training.time_steps EXPERIMENT.yaml STEPS     (writes JSON)
"""

import json
import statistics
import sys
import time
from itertools import chain, islice, repeat
from pathlib import Path

import torch

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import read_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.core.device import synchronize
from windtunnel.training.assemble import Parts, assemble, initialise_from_data
from windtunnel.training.environment import process_settings
from windtunnel.training.loop import recorded_update
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

_WARM_UP = 5


def time_steps(parts: Parts, steps: int, *, random_labels: bool = False) -> list[float]:
    """Return the wall clock of each of ``steps`` updates, seconds, after a warm-up of five; the weights are spent.

    A batch's augmentation counts as part of its update, as in training. With ``random_labels`` nothing can be learnt.
    """
    state = TrainState.fresh(parts.device)
    update = recorded_update(parts, state)
    batches = chain.from_iterable(parts.loader.epoch(epoch) for epoch, _ in enumerate(repeat(None)))
    seconds = []
    mark = time.perf_counter()
    for batch in islice(batches, _WARM_UP + steps):
        if random_labels:
            batch = batch._replace(labels=batch.labels[torch.randperm(len(batch.labels), device=parts.device)])
        train_step(parts, state, batch, update)
        synchronize(parts.device)
        now = time.perf_counter()
        seconds.append(now - mark)
        mark = now
    return seconds[_WARM_UP:]


def main() -> None:
    """Time the experiment of the first argument for as many updates as the second says."""
    path, steps = Path(sys.argv[1]), int(sys.argv[2])
    experiment = validate_tree(Experiment, read_yaml(path), str(path))
    with process_settings(experiment.runtime):
        parts = assemble(experiment)
        initialise_from_data(parts)
        seconds = time_steps(parts, steps)
    json.dump({"median": statistics.median(seconds), "device": str(parts.device)}, sys.stdout)


if __name__ == "__main__":
    main()
