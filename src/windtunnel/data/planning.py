"""What an epoch holds, planned before its first batch: the order, every random draw, each process's share."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.core.rng import derive_seed, permutation
from windtunnel.core.types import Batch, Transform


class Share(NamedTuple):
    """Which of ``of`` processes this one is; each trains on one contiguous slice of every batch."""

    rank: int = 0
    of: int = 1

    def within(self, rows: slice) -> slice:
        """Return this process's slice of ``rows``.

        >>> Share(1, 2).within(slice(10, 15))
        slice(12, 15, None)
        """
        count = rows.stop - rows.start
        return slice(rows.start + count * self.rank // self.of, rows.start + count * (self.rank + 1) // self.of)


WHOLE = Share()


class Batching(NamedTuple):
    """How a set is cut into batches.

    Args:
        ids: data set index of each image, the key of its random draws.
        batch_size: images a batch, over all processes.
        seed: the run's seed.
        shuffle: a new random order each epoch, or the set's own order.
        drop_last: leave out a short last batch.
        share: this process's part of every batch.
    """

    ids: Int64[Tensor, " n"]
    batch_size: int
    seed: int
    shuffle: bool
    drop_last: bool
    share: Share = WHOLE


class EpochPlan(NamedTuple):
    """An epoch's images in the order they come.

    Args:
        order: rows of the set.
        ids: data set index of each, the key of its draws.
        labels: class index of each.
        draw: every augmentation parameter of each.
    """

    order: Int64[Tensor, " n"]
    ids: Int64[Tensor, " n"]
    labels: Int64[Tensor, " n"]
    draw: Any


class Planner:
    """Plans epochs: the order from (seed, epoch), every augmentation parameter from (seed, epoch, id, op).

    Args:
        labels: class index of each image, on the training device.
        transform: what draws and mixes.
        batching: how batches are cut.
    """

    def __init__(self, labels: Int64[Tensor, " n"], transform: Transform, batching: Batching) -> None:
        self._labels = labels
        self._transform = transform
        self._batching = batching._replace(ids=batching.ids.to(labels.device))

    def __len__(self) -> int:
        """Return the batches in an epoch."""
        whole, rest = divmod(len(self._labels), self._batching.batch_size)
        return whole + (1 if rest and not self._batching.drop_last else 0)

    def order(self, epoch: int) -> Int64[Tensor, " n"]:
        """Return the rows of ``epoch`` in the order they are trained on, on the CPU."""
        size = len(self._labels)
        if not self._batching.shuffle:
            return torch.arange(size)
        return permutation(derive_seed(self._batching.seed, "order", epoch), size)

    def plan(self, epoch: int, order: Int64[Tensor, " n"]) -> EpochPlan:
        """Return everything about ``epoch`` but its pixels, on the device."""
        order = order.to(self._labels.device, non_blocking=True)
        ids = self._batching.ids[order]
        return EpochPlan(order, ids, self._labels[order], self._transform.draw(ids, epoch))

    def spans(self, start: int) -> Iterator[slice]:
        """Yield what this process renders of each batch from ``start`` on: its share, or all where images mix."""
        for index in range(start, len(self)):
            rows = self._batch(index * self._batching.batch_size)
            yield rows if self._transform.mixes else self._batching.share.within(rows)

    def finish(self, plan: EpochPlan, rendered: slice, images: Float[Tensor, "b c h w"]) -> Batch:
        """Return the batch of ``images``, those at ``rendered`` of ``plan``, mixed and cut to this process's share."""
        images, labels = self._transform.mix(images, plan.labels[rendered], plan.draw[rendered])
        if not self._transform.mixes:
            return Batch(images, labels, plan.ids[rendered])
        own = self._batching.share.within(slice(0, len(images)))
        return Batch(images[own], labels[own], plan.ids[rendered][own])

    def _batch(self, start: int) -> slice:
        return slice(start, min(start + self._batching.batch_size, len(self._labels)))
