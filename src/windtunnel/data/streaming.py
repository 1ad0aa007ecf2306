"""Batches of images that lie on disk: threads copy them out of the memory map ahead of the training step."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from windtunnel.core.types import Batch, Transform
from windtunnel.data.part import Part
from windtunnel.data.planning import Batching, Planner

# Batches in hand besides the one each thread is at: enough that one slow read does not stop the step.
_SPARE_BATCHES = 2


class StreamingLoader:
    """Yields the very batches a :class:`windtunnel.data.resident.ResidentLoader` yields, from images on disk.

    Order and draws are planned in the same way; only the bytes come another way. Each thread copies a whole batch,
    for a GPU into page-locked memory, a few batches ahead of the step. Main memory holds those batches, whatever
    the size of the set.

    Args:
        part: the images.
        transform: augmentation and normalisation; it holds no images of its own.
        batching: how batches are cut.
        device: the training device.
        workers: threads that copy.
    """

    def __init__(
        self, part: Part, transform: Transform, batching: Batching, *, device: torch.device, workers: int
    ) -> None:
        self.transform = transform
        self._part = part
        self._device = device
        self._workers = workers
        self._planner = Planner(part.labels.to(device), transform, batching)

    def __len__(self) -> int:
        """Return the batches in an epoch."""
        return len(self._planner)

    def order(self, epoch: int) -> Int64[Tensor, " n"]:
        """Return the rows of ``epoch`` in the order they are trained on."""
        return self._planner.order(epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of ``epoch`` from batch ``start`` on; the same for the same (seed, epoch)."""
        order = self._planner.order(epoch)
        spans = list(self._planner.spans(start))
        plan = self._planner.plan(epoch, order)
        for rows, pixels in zip(spans, self._stream([order[rows] for rows in spans]), strict=True):
            resident = pixels.to(self._device, non_blocking=True)
            here = torch.arange(len(resident), device=self._device)
            images = self.transform.over(resident).apply(here, plan.draw[rows])
            yield self._planner.finish(plan, rows, images)

    def _stream(self, batches: Sequence[Int64[Tensor, " _"]]) -> Iterator[UInt8[Tensor, "_ c h w"]]:
        """Yield the images of each batch in turn, read ahead."""
        pool = ThreadPoolExecutor(self._workers, "windtunnel-stream", initializer=_use_device, initargs=(self._device,))
        try:
            waiting = iter(batches)
            ahead: deque[Future[Tensor]] = deque(
                pool.submit(self._gather, rows) for rows in islice(waiting, self._workers + _SPARE_BATCHES)
            )
            while ahead:
                pixels = ahead.popleft().result()
                ahead.extend(pool.submit(self._gather, rows) for rows in islice(waiting, 1))
                yield pixels
        finally:
            pool.shutdown(cancel_futures=True)

    def _gather(self, rows: Int64[Tensor, " b"]) -> UInt8[Tensor, "b c h w"]:
        # page-locked blocks come from torch's own cache of them, which waits until a copy from one is over
        return self._part.gather(rows, pinned=self._device.type == "cuda")


def _use_device(device: torch.device) -> None:
    """Make page-locked memory on this thread belong to ``device`` rather than to the first GPU."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
