"""What an augmentation op is: parameters drawn first, as plain tensors, then a pure function of images."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from windtunnel.core.rng import derive_seed, uniforms
from windtunnel.errors import UsageError

Params = dict[str, Tensor]
"""Parameters of n images by name; the first axis of every tensor is the image."""


class Frame(NamedTuple):
    """What every image of a set has in common.

    Args:
        channels: 1 or 3.
        height: pixels.
        width: pixels.
        mean: mean of each channel, in 0..1.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]


@dataclass(frozen=True)
class Stream:
    """The random numbers of one op in one epoch.

    Args:
        seed: the run's seed.
        name: the op's name.
        occurrence: how many ops of that name come before it in the policy.
        epoch: epoch, from 0.
    """

    seed: int
    name: str
    occurrence: int
    epoch: int

    def uniforms(self, ids: Int64[Tensor, " n"], slots: int) -> Float[Tensor, "slots n"]:
        """Return numbers in [0, 1) that change with the epoch."""
        return uniforms(derive_seed(self.seed, "augment", self.name, self.occurrence, self.epoch), ids, slots)

    def lasting_uniforms(self, ids: Int64[Tensor, " n"], slots: int) -> Float[Tensor, "slots n"]:
        """Return numbers in [0, 1) that are the same in every epoch."""
        return uniforms(derive_seed(self.seed, "augment", self.name, self.occurrence), ids, slots)


class Op(ABC):
    """One augmentation, applied to each image with parameters of its own."""

    name: ClassVar[str]

    @abstractmethod
    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw the parameters of ``ids``: a pure function of (stream, id)."""

    @abstractmethod
    def apply(self, images: Float[Tensor, "b c h w"], params: Params) -> Float[Tensor, "b c h w"]:
        """Return ``images``, in 0..1 and before normalisation, changed as ``params`` say."""

    def check(self, frame: Frame) -> None:
        """Raise UsageError when images of ``frame`` cannot be augmented like this."""
        if frame.channels not in (1, 3):
            raise UsageError(f"{self.name}: images have {frame.channels} channels; 1 or 3 can be augmented")


class Coordinates(NamedTuple):
    """Where each pixel comes from, in pixel indices; the axes broadcast, so a shift stays two thin tensors.

    Args:
        x: column of the source.
        y: row of the source.
        weight: what the source counts, 0 outside the image.
    """

    x: Float[Tensor, "b _ w"]
    y: Float[Tensor, "b h _"]
    weight: Float[Tensor, "b _ _"]


class Rearrangement(Op):
    """An op that only moves whole pixels: every pixel is a copy of another one, or black."""

    @abstractmethod
    def trace(self, at: Coordinates, params: Params, frame: Frame) -> Coordinates:
        """Return where the pixels ``at`` of the op's output lie in its input."""

    def apply(self, images: Float[Tensor, "b c h w"], params: Params) -> Float[Tensor, "b c h w"]:
        """Return the images with their pixels moved."""
        batch, channels, height, width = images.shape
        frame = Frame(channels, height, width, (0.0,) * channels)
        at = self.trace(identity_coordinates(batch, frame, images.device), params, frame)
        index = pixel_index(at, width).flatten(1)
        moved = images.flatten(2).gather(2, index[:, None].expand(-1, channels, -1))
        return moved.view(images.shape) * at.weight[:, None]


def identity_coordinates(batch: int, frame: Frame, device: torch.device) -> Coordinates:
    """Return the coordinates at which every pixel is itself."""
    x = torch.arange(frame.width, device=device, dtype=torch.float32).view(1, 1, -1).expand(batch, 1, -1)
    y = torch.arange(frame.height, device=device, dtype=torch.float32).view(1, -1, 1).expand(batch, -1, 1)
    return Coordinates(x, y, torch.ones(batch, 1, 1, device=device))


def pixel_index(at: Coordinates, width: int) -> Int64[Tensor, "b h w"]:
    """Return the index of each source pixel in its flattened image; pixels outside it become one inside."""
    return at.y.long() * width + at.x.long()


def per_image(values: Tensor) -> Tensor:
    """Shape one value an image so that it broadcasts over (b, h, w)."""
    return values.view(-1, 1, 1)


def gate(values: Float[Tensor, " n"], p: float) -> Bool[Tensor, " n"]:
    """Return which images an op of probability ``p`` touches."""
    return values < p
