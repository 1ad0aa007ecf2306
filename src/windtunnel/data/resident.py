"""Batches from a data set that lies on the training device: an index, an augmentation, a normalisation."""

from collections.abc import Iterator

from jaxtyping import Int64
from torch import Tensor

from windtunnel.core.types import Batch, ImageBytes, Transform
from windtunnel.data.planning import Batching, Planner


class ResidentLoader:
    """Yields batches of a resident data set (see :class:`windtunnel.core.types.Loader`).

    An epoch is planned before its first batch (:class:`windtunnel.data.planning.Planner`). A batch is then index
    arithmetic on the device; nothing waits for it and nothing is done image by image. Starting at batch k yields
    exactly the batches that starting at 0 yields from there on.

    Args:
        images: images and labels, on the training device; ``transform`` holds the same images.
        transform: augmentation and normalisation of rows of ``images``.
        batching: how batches are cut.
    """

    def __init__(self, images: ImageBytes, transform: Transform, batching: Batching) -> None:
        self.transform = transform
        self._planner = Planner(images.labels, transform, batching)

    def __len__(self) -> int:
        """Return the batches in an epoch."""
        return len(self._planner)

    def order(self, epoch: int) -> Int64[Tensor, " n"]:
        """Return the rows of ``epoch`` in the order they are trained on."""
        return self._planner.order(epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of ``epoch`` from batch ``start`` on; the same for the same (seed, epoch)."""
        plan = self._planner.plan(epoch, self._planner.order(epoch))
        for rows in self._planner.spans(start):
            images = self.transform.apply(plan.order[rows], plan.draw[rows])
            yield self._planner.finish(plan, rows, images)
