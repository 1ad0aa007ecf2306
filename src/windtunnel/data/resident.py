"""Batches from a data set that lies on the training device: an index, an augmentation, a normalisation."""

from collections.abc import Iterator

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.core.rng import derive_seed, permutation
from windtunnel.core.types import Batch, ImageBytes, Transform


class ResidentLoader:
    """Yields batches of a resident data set (see :class:`windtunnel.core.types.Loader`).

    An epoch is planned before its first batch: the order from (seed, epoch), every augmentation parameter from
    (seed, epoch, id, op). A batch is then index arithmetic on the device; nothing waits for it and nothing is
    done image by image. Starting at batch k yields exactly the batches that starting at 0 yields from there on.

    Args:
        images: images and labels, on the training device; ``transform`` holds the same images.
        transform: augmentation and normalisation of rows of ``images``.
        ids: data set index of each image, the key of its random draws.
        batch_size: images a batch.
        seed: the run's seed.
        shuffle: a new random order each epoch, or the set's own order.
        drop_last: leave out a short last batch.
    """

    def __init__(
        self,
        images: ImageBytes,
        transform: Transform,
        *,
        ids: Int64[Tensor, " n"],
        batch_size: int,
        seed: int,
        shuffle: bool,
        drop_last: bool,
    ) -> None:
        self.transform = transform
        self.labels = images.labels
        self.ids = ids.to(images.labels.device)
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last

    def __len__(self) -> int:
        """Return the batches in an epoch."""
        whole, rest = divmod(len(self.labels), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def order(self, epoch: int) -> Int64[Tensor, " n"]:
        """Return the rows of ``epoch`` in the order they are trained on, on the device."""
        size = len(self.labels)
        rows = permutation(derive_seed(self.seed, "order", epoch), size) if self.shuffle else torch.arange(size)
        return rows.to(self.labels.device, non_blocking=True)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of ``epoch`` from batch ``start`` on; the same for the same (seed, epoch)."""
        order = self.order(epoch)
        ids, labels = self.ids[order], self.labels[order]
        draw = self.transform.draw(ids, epoch)
        for index in range(start, len(self)):
            rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
            part = draw[rows]
            images, mixed = self.transform.mix(self.transform.apply(order[rows], part), labels[rows], part)
            yield Batch(images, mixed, ids[rows])
