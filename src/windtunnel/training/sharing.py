"""What several processes can train together without changing what is computed; all of it is checked beforehand."""

import torch

from windtunnel.config.experiment import Experiment
from windtunnel.config.optim import ScheduleFreeAdamW
from windtunnel.core.device import resolve_device
from windtunnel.errors import UsageError


def check_processes(experiment: Experiment, processes: int) -> None:
    """Raise :class:`UsageError` when ``processes`` on this machine cannot train ``experiment`` together."""
    check_sharing(experiment, processes)
    if experiment.runtime.device.startswith("cuda:"):
        raise UsageError(f"--nproc {processes}: each process takes a GPU of its own, so set runtime.device=cuda")
    device, present = resolve_device(experiment.runtime.device), torch.cuda.device_count()
    if device.type == "cuda" and processes > present:
        raise UsageError(f"--nproc {processes}: this machine has {present} CUDA devices; use as many, or fewer")


def check_sharing(experiment: Experiment, processes: int) -> None:
    """Raise :class:`UsageError` when batches of ``experiment`` cannot be shared out to ``processes``."""
    batch_size, runtime, loss = experiment.data.batch_size, experiment.runtime, experiment.loss
    if processes == 1:
        return
    if batch_size % processes:
        raise UsageError(
            f"--nproc {processes}: data.batch_size is {batch_size} over all processes and cannot be shared out evenly; "
            f"use {batch_size // processes * processes or processes} or another multiple of {processes}"
        )
    if loss.reduction == "mean" and getattr(loss, "class_weights", None) is not None:
        raise UsageError(
            f"--nproc {processes}: the weighted mean of loss.class_weights over a whole batch cannot be kept; set "
            "loss.reduction=sum (and lower the learning rate by the batch size)"
        )
    if runtime.cuda_graph:
        raise UsageError(f"--nproc {processes}: runtime.cuda_graph is for a single process; set it to false")
    if runtime.batch_norm == "synced":
        _check_synced(experiment)


def check_last_batch(experiment: Experiment, images: int, processes: int) -> None:
    """Raise :class:`UsageError` when an epoch of ``images`` ends with a batch that cannot be shared out."""
    rest = images % experiment.data.batch_size
    if not experiment.data.drop_last and rest % processes:
        raise UsageError(
            f"--nproc {processes}: the last batch of an epoch has {rest} images, which cannot be shared out evenly; "
            "set data.drop_last=true or another data.batch_size"
        )


def _check_synced(experiment: Experiment) -> None:
    if resolve_device(experiment.runtime.device).type != "cuda":
        raise UsageError("runtime.batch_norm=synced: torch has it for GPUs only; use local on a CPU")
    if isinstance(experiment.optim, ScheduleFreeAdamW):
        raise UsageError(
            "runtime.batch_norm=synced: optim schedule_free_adamw measures its statistics on one process; use local"
        )
