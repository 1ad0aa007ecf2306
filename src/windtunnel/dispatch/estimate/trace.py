"""An experiment's own training step and evaluation on tensors without data, watched storage by storage.

The real model, optimizer, loss and averaging are built by the project's own builders and then lose their data; the
step and the views are the very functions a run calls. Everything is traced as the CPU would do it, whatever device the
run is for: operators of CUDA differ in a few places (dropout keeps bytes there, floats here; cuDNN takes workspaces,
which are not counted).
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from windtunnel.config.augment import MIXING_OPS
from windtunnel.config.experiment import Experiment
from windtunnel.core.types import Batch
from windtunnel.data.open import OpenedData
from windtunnel.dispatch.estimate.allocators import CudaCache, find_peak
from windtunnel.dispatch.estimate.scratch import convolution_scratch, winograd_scratch
from windtunnel.dispatch.estimate.traced import Traced
from windtunnel.dispatch.estimate.tracker import StorageLog
from windtunnel.evaluation.tta import PlainView, Views
from windtunnel.optim.ema import MovingAverage
from windtunnel.training.assemble import Parts, assemble
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

_STEPS = 3  # the first makes the optimizer's state, the others run beside it
_LABEL_BYTES = 8
_SPARE_BATCHES = 2  # that a streaming loader holds besides one a thread
_CHECKPOINT_COPIES = 2  # the weights written for everybody, and their bytes on the way to the file


def trace(experiment: Experiment) -> Traced:
    """Return what ``experiment`` needs.

    Raises:
        UsageError: its data, model or groups cannot be had as described.
    """
    parts = assemble(_traceable(experiment))
    mode, log = FakeTensorMode(), StorageLog(_scratch(experiment))
    with mode:
        empty = _without_data(parts, mode)
        log.add(_state_of(empty.model), "parameters")
        log.add(_tensors_in(_averages(empty)), "averaging")
        state = TrainState.fresh(empty.device)
        with log, _labelled_gradients(log, empty.model):
            last = _train(empty, state, log)
            trained = len(log.events)
            _evaluate(empty)
            del last
        step_flops = _count_flops(lambda: train_step(empty, state, _train_batch(empty)))
        image_flops = _count_flops(lambda: _view(empty, PlainView(), 1))
    memory = _sum_up(parts.model, log, trained)
    validation = len(parts.data.validation) if parts.data.validation is not None else 0
    return Traced(
        **memory,
        data=_data_bytes(experiment, parts.data),
        step_flops=step_flops,
        evaluation_flops=image_flops * validation,
        steps_per_epoch=parts.steps_per_epoch,
    )


def _traceable(experiment: Experiment) -> Experiment:
    """Return ``experiment`` eager, on the CPU and at its largest images; its data stay on the disk."""
    runtime = {
        "device": "cpu",
        "compile": "off",
        "convolution": "direct",
        "cuda_graph": False,
        "augment_backend": "torch",
    }
    sizes = [size for _, size in experiment.train.resize]
    return experiment.model_copy(
        update={
            "runtime": experiment.runtime.model_copy(update=runtime),
            "data": experiment.data.model_copy(update={"placement": "streaming"}),
            "train": experiment.train.model_copy(update={"resize": ((0.0, max(sizes)),) if sizes else ()}),
            "budget": None,
        }
    )


def _scratch(experiment: Experiment) -> Callable[[Any, Sequence[Any]], int]:
    """Return what tells what operators take within themselves in the run, whose convolutions may not be torch's."""
    if experiment.runtime.convolution == "direct":
        return convolution_scratch
    return winograd_scratch(experiment.runtime.threads or torch.get_num_threads())


def _without_data(parts: Parts, mode: FakeTensorMode) -> Parts:
    """Return ``parts`` with every tensor that trains replaced by one of the same size without data."""
    experiment, model = parts.experiment, parts.model
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            module._parameters[name] = _as_parameter(mode.from_tensor(parameter), parameter.requires_grad)
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = mode.from_tensor(buffer)
    return dataclasses.replace(
        parts,
        optimizer=experiment.optim.build(model=model),
        loss=experiment.loss.build(),
        averaging=experiment.averaging.build(model=model) if experiment.averaging else None,
        ema=MovingAverage(model, experiment.ema) if experiment.ema else None,
        scaler=torch.amp.GradScaler("cpu", enabled=False),  # it would ask for values, and holds a few bytes
    )


def _as_parameter(tensor: Tensor, trains: bool) -> nn.Parameter:
    return tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=trains)


def _train(parts: Parts, state: TrainState, log: StorageLog) -> Batch:
    """Take the steps and return the last batch, which a loop still holds when it validates."""
    for _ in range(_STEPS):
        batch = _train_batch(parts)
        train_step(parts, state, batch)
        log.add(_tensors_in(parts.optimizer.state), "optimizer_state")
    return batch


def _train_batch(parts: Parts) -> Batch:
    soft = any(isinstance(op, MIXING_OPS) for op in parts.experiment.augment)
    size = min(parts.experiment.data.batch_size, len(parts.data.train))
    classes = len(parts.data.spec.class_names)
    labels = torch.zeros(size, classes) if soft else torch.zeros(size, dtype=torch.int64)
    return Batch(_images(parts, size), labels, torch.zeros(size, dtype=torch.int64))


def _images(parts: Parts, size: int) -> Tensor:
    channels, height, width = parts.data.train.image_shape
    if parts.experiment.runtime.channels_last:
        images = torch.empty(size, height, width, channels).permute(0, 3, 1, 2)
    else:
        images = torch.empty(size, channels, height, width)
    return images.to(parts.precision.image_dtype)


def _evaluate(parts: Parts) -> None:
    """Validate in the plain view and test in the run's own views, as far as the run does."""
    data = parts.data
    if data.validation is not None and parts.experiment.train.validate_every > 0:
        with parts.ema.swapped_in() if parts.ema is not None else nullcontext():
            _view(parts, PlainView(), len(data.validation))
    if data.test is not None and parts.experiment.evaluate.test:
        _view(parts, parts.views, len(data.test))


@torch.no_grad()
def _view(parts: Parts, views: Views, images: int) -> None:
    """Pass batches of ``images`` through; a second one finds the weights that autocast has converted still there."""
    batch_size = parts.experiment.evaluate.batch_size
    parts.model.eval()
    with parts.precision.autocast():
        for start in range(0, min(images, 2 * batch_size), batch_size):
            views(parts.model, _images(parts, min(batch_size, images - start))).float()
    parts.model.train()


def _count_flops(work: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def _sum_up(model: nn.Module, log: StorageLog, trained: int) -> dict[str, int]:
    """Return the memory fields of :class:`Traced`; ``trained`` events belong to training, the others to evaluation."""
    train = find_peak(log.events[:trained], log.labels)
    held = {label: _held(log, label) for label in ("parameters", "optimizer_state", "averaging")}
    before = sum(event.size for event in log.events[:trained])
    return {
        **held,
        "gradients": sum(_bytes_of(parameter) for parameter in model.parameters() if parameter.requires_grad),
        "activations": train.bytes - sum(held.values()) - train.shares.get("gradients", 0),
        "train_peak": train.bytes,
        "evaluation_peak": before + find_peak(log.events[trained:], {}).bytes,
        "checkpoint_peak": sum(held.values()) + _CHECKPOINT_COPIES * held["parameters"],
        "reserved": CudaCache().run(event for event in log.events if log.labels.get(event.block) != "scratch"),
    }


def _held(log: StorageLog, label: str) -> int:
    """Return the bytes under ``label`` that were never given back."""
    return sum(event.size for event in log.events if log.labels.get(event.block) == label)


def _data_bytes(experiment: Experiment, data: OpenedData) -> int:
    """Return what the images take: all that are read, or with streaming the batches in hand."""
    if experiment.data.placement == "streaming":
        return (
            (experiment.data.workers + _SPARE_BATCHES) * experiment.data.batch_size * math.prod(data.train.image_shape)
        )
    parts = [data.train, data.validation, data.test if experiment.evaluate.test else None]
    return sum(part.num_bytes + _LABEL_BYTES * len(part) for part in parts if part is not None)


@contextmanager
def _labelled_gradients(log: StorageLog, model: nn.Module) -> Iterator[None]:
    def note(parameter: Tensor) -> None:
        if parameter.grad is not None:
            log.add([parameter.grad], "gradients")

    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    handles = [parameter.register_post_accumulate_grad_hook(note) for parameter in trainable]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _state_of(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def _averages(parts: Parts) -> list[Any]:
    return [kept.state_dict() for kept in (parts.averaging, parts.ema) if kept is not None]


def _tensors_in(tree: Any) -> Iterator[Tensor]:
    # an optimizer's state is a defaultdict keyed by parameters, whose keys are not its own
    values = tree.values() if isinstance(tree, dict) else [tree]
    for value in values:
        yield from (leaf for leaf in tree_iter(value) if isinstance(leaf, Tensor))


def _bytes_of(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
