"""An update recorded once and replayed: the host hands over a batch and one launch instead of hundreds.

The recording belongs to one shape of batch; a new shape (progressive resizing, a short last batch) gets its own. The
first updates of a shape run as usual, which is training like any other and lets cuDNN choose and the optimizer make its
buffers; nothing is ever trained twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch

from windtunnel.core.types import Batch
from windtunnel.errors import UsageError

_USUAL_UPDATES = 3


class Recorder(Protocol):
    """Records what a function does on the device."""

    def __call__(self, function: Callable[[], None]) -> Callable[[], None]:
        """Return what does the same again, on the same memory; the function's work itself may or may not be done."""


@dataclass
class RecordedUpdate:
    """Does ``update`` from a recording, one for each shape of batch.

    Args:
        update: the device's part of a step.
        record: what records it, :func:`record_cuda_graph` but for tests.
    """

    update: Callable[[Batch], None]
    record: Recorder
    _shapes: dict[tuple[torch.Size, torch.Size], "_Shape"] = field(default_factory=dict)

    def __call__(self, batch: Batch) -> None:
        """Update from ``batch``."""
        shape = self._shapes.setdefault((batch.images.shape, batch.labels.shape), _Shape())
        if shape.replay is None and shape.updates < _USUAL_UPDATES:
            shape.updates += 1
            self.update(batch)
            return
        if shape.replay is None:
            shape.batch = Batch(*(tensor.clone() for tensor in batch))
            shape.replay = self.record(lambda: self.update(shape.batch))
        for mine, theirs in zip(shape.batch, batch, strict=True):
            mine.copy_(theirs)
        shape.replay()


@dataclass
class _Shape:
    updates: int = 0
    batch: Batch = field(init=False)
    replay: Callable[[], None] | None = None


def record_cuda_graph(function: Callable[[], None]) -> Callable[[], None]:
    """Capture ``function`` as a CUDA graph and return its replay; capturing runs nothing."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


def check_can_record(device: torch.device) -> None:
    """Raise :class:`UsageError` where there are no CUDA graphs."""
    if device.type != "cuda":
        raise UsageError(f"runtime.cuda_graph needs a CUDA device, not {device}; set runtime.cuda_graph=false")
