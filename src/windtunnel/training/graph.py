"""An update recorded once and replayed: the host hands over a batch and one launch instead of hundreds.

A recording belongs to one shape of batch and one set of weights that train; a new shape (progressive resizing, a short
last batch) or a group that freezes gets its own. The first updates of each run as usual, which is training like any
other and lets cuDNN choose and the optimizer make its buffers; nothing is ever trained twice.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import torch

from windtunnel.config.experiment import Experiment
from windtunnel.core.types import Batch
from windtunnel.errors import UsageError

_USUAL_UPDATES = 3
_MODES_WITH_GRAPHS = ("reduce-overhead", "max-autotune")


class Recorder(Protocol):
    """Runs and records what a function does on the device."""

    def run(self, function: Callable[[], None]) -> None:
        """Do it as usual, in the surroundings it will be recorded in."""

    def record(self, function: Callable[[], None]) -> Callable[[], None]:
        """Return what does it again on the same memory; recording itself may or may not do it."""


@dataclass
class RecordedUpdate:
    """Does ``update`` from a recording, one for each shape of batch and each phase of training.

    Args:
        update: the device's part of a step.
        phase: tells the stretches of training apart in which the same weights train.
        recorder: what records it, a :class:`CudaRecorder` but for tests.
    """

    update: Callable[[Batch], None]
    phase: Callable[[], Hashable]
    recorder: Recorder
    _shapes: dict[Hashable, "_Shape"] = field(default_factory=dict)

    def __call__(self, batch: Batch) -> None:
        """Update from ``batch``."""
        shape = self._shapes.setdefault((batch.images.shape, batch.labels.shape, self.phase()), _Shape())
        if shape.replay is None and shape.updates < _USUAL_UPDATES:
            shape.updates += 1
            self.recorder.run(lambda: self.update(batch))
            return
        if shape.replay is None:
            shape.batch = Batch(*(tensor.clone() for tensor in batch))
            shape.replay = self.recorder.record(lambda: self.update(shape.batch))
        for mine, theirs in zip(shape.batch, batch, strict=True):
            mine.copy_(theirs)
        shape.replay()


@dataclass
class _Shape:
    updates: int = 0
    batch: Batch = field(init=False)
    replay: Callable[[], None] | None = None


class CudaRecorder:
    """Captures CUDA graphs on a stream of its own, on which the usual updates run as well, as torch asks for.

    Args:
        device: where everything that is recorded happens; the process's current device may be another.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)

    def run(self, function: Callable[[], None]) -> None:
        """Do ``function`` on the stream; work queued before and after it keeps its order."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            function()
        current.wait_stream(self._stream)

    def record(self, function: Callable[[], None]) -> Callable[[], None]:
        """Capture ``function`` and return its replay; capturing runs nothing.

        Other threads go on meanwhile: those that stream images ask for page-locked memory, which capturing them too
        would forbid.
        """
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(self._stream.device),
            torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
        ):
            function()
        return graph.replay


def check_can_record(device: torch.device) -> None:
    """Raise :class:`UsageError` where there are no CUDA graphs."""
    if device.type != "cuda":
        raise UsageError(f"runtime.cuda_graph needs a CUDA device, not {device}; set runtime.cuda_graph=false")


def check_can_compile(experiment: Experiment, device: torch.device) -> None:
    """Raise :class:`UsageError` where torch.compile's own CUDA graphs would meet ours, or lose added-up gradients."""
    mode = experiment.runtime.compile
    if device.type != "cuda" or mode not in _MODES_WITH_GRAPHS:
        return
    if experiment.runtime.cuda_graph:
        raise UsageError(
            f"runtime.cuda_graph: runtime.compile={mode} records CUDA graphs of its own, which cannot be recorded "
            "again; set runtime.compile=default, or runtime.cuda_graph=false"
        )
    if experiment.train.accumulate > 1:
        raise UsageError(
            f"train.accumulate: runtime.compile={mode} records CUDA graphs, which write each part's gradients over the "
            "sum of those before; set runtime.compile=default"
        )
