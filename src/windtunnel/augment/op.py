"""What an augmentation op is: parameters drawn first, as plain tensors, then instructions for a backend."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from windtunnel.augment.instruction import Slot, Step
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
        """Draw the parameters of ``ids``: a pure function of (stream, id), the same bits on every device."""

    @abstractmethod
    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the lines of program that the op needs."""

    @abstractmethod
    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return what each image does in each of the slots."""

    def check(self, frame: Frame) -> None:
        """Raise UsageError when images of ``frame`` cannot be augmented like this."""
        if frame.channels not in (1, 3):
            raise UsageError(f"{self.name}: images have {frame.channels} channels; 1 or 3 can be augmented")


def gate(values: Float[Tensor, " n"], p: float) -> Bool[Tensor, " n"]:
    """Return which images an op of probability ``p`` touches."""
    return values < p


def between(bounds: Sequence[float], values: Float[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
    """Spread numbers in [0, 1) over ``bounds``, in double precision."""
    low, high = bounds
    return values.double() * (high - low) + low


def fill_values(fill: float | tuple[float, ...], frame: Frame) -> tuple[float, ...]:
    """Return one value a channel."""
    values = fill if isinstance(fill, tuple) else (fill,)
    return values * frame.channels if len(values) == 1 else values


def check_fill(name: str, fill: float | tuple[float, ...] | None, frame: Frame) -> None:
    """Raise UsageError when ``fill`` has neither one value nor one for each channel."""
    if isinstance(fill, tuple) and len(fill) not in (1, frame.channels):
        raise UsageError(
            f"{name}: fill has {len(fill)} values for images of {frame.channels} channel(s); give one value"
        )
