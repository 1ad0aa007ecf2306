"""Batches and the interfaces that let data, augmentation and training know nothing of each other."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Int64, UInt8
from torch import Tensor


class Batch(NamedTuple):
    """One training step's input.

    Args:
        images: normalised, on the training device.
        labels: class indices (b) or class probabilities (b k).
        ids: index of each image in its data set, the key of its random draws.

    """

    images: Float[Tensor, "b c h w"]
    labels: Tensor
    ids: Int64[Tensor, " b"]


class Draw(Protocol):
    """Augmentation parameters of n images; slicing keeps the order."""

    def __getitem__(self, rows: slice) -> "Draw":
        """Return the parameters of ``rows``."""


class Transform(Protocol):
    """Turns rows of a uint8 data set into a normalised batch."""

    @property
    def backend(self) -> str:
        """Name of the code path that was taken, for the run's record."""

    @property
    def mixes(self) -> bool:
        """Whether images and labels are blended across the batch."""

    def over(self, images: UInt8[Tensor, "n c h w"]) -> "Transform":
        """Return this transform of other images, on the same device."""

    def draw(self, ids: Int64[Tensor, " n"], epoch: int) -> Any:
        """Draw every parameter for ``ids`` in ``epoch``: a pure function of (seed, epoch, id, op)."""

    def apply(self, rows: Int64[Tensor, " b"], draw: Any) -> Float[Tensor, "b c h w"]:
        """Return the images at ``rows`` of the set, augmented by ``draw`` and normalised."""

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Tensor, draw: Any
    ) -> tuple[Float[Tensor, "b c h w"], Tensor]:
        """Blend images and labels across the batch; the identity without a mixing op."""


class Loader(Protocol):
    """A set of images that yields batches epoch by epoch."""

    def __len__(self) -> int:
        """Return the batches in an epoch."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of ``epoch`` from batch ``start`` on; the same for the same (seed, epoch)."""


class ImageBytes(NamedTuple):
    """Images and labels of one split as they lie in memory.

    Args:
        images: uint8, channels first by index and channels last in memory.
        labels: class index of each image.

    """

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]


@runtime_checkable
class DataInitialised(Protocol):
    """A network that sets some of its weights from images before training (airbench's whitening stem)."""

    def initialise_from(self, images: Float[Tensor, "n c h w"]) -> None:
        """Set weights from up to 5,000 normalised training images; called once."""
