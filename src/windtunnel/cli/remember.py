"""Single runs teach the estimator too: the next run of their kind is priced by what they needed."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windtunnel.config.experiment import Experiment


def remember(experiment: "Experiment", summary: Mapping[str, Any]) -> None:
    """Keep the peak memory and times of a run of this process that finished; a cache that cannot be written is said."""
    if summary["status"] != "finished":
        return
    import torch

    from windtunnel.core.device import resolve_device
    from windtunnel.dispatch.estimate.estimator import Estimator
    from windtunnel.dispatch.estimate.memory import held_besides_tensors

    device = resolve_device(experiment.runtime.device)
    peak = held_besides_tensors(str(device))
    if device.type == "cuda" and peak is not None:
        peak += torch.cuda.max_memory_reserved(device)
    spent, steps = summary["seconds"], summary["steps"]
    try:
        Estimator(str(device)).record(
            experiment,
            peak_bytes=peak,
            seconds=sum(spent.values()),
            step_seconds=spent.get("train", 0.0) / max(steps, 1),
        )
    except OSError as error:
        print(f"what this run needed could not be kept for `windtunnel estimate`: {error}", file=sys.stderr)
