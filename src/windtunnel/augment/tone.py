"""Ops on the tones of an image that are either on or off: posterize, solarize, stretch, equalize, sharpen."""

from typing import ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Slot, Step, make_step
from windtunnel.augment.op import Frame, Op, Params, Stream, gate


class Tone(Op):
    """A change with fixed arguments that happens with probability ``p``."""

    code: ClassVar[Code]

    def __init__(self, *arguments: float, p: float) -> None:
        self.arguments = arguments
        self.p = p

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``."""
        return {"on": gate(stream.uniforms(ids, 1)[0], self.p)}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (Slot((self.code,), len(self.arguments)),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        on = params["on"]
        values = [torch.full(on.shape, value, device=on.device) for value in self.arguments]
        return (make_step(on, self.code, *values),)


class Posterize(Tone):
    """Keep the highest ``bits`` bits of each value."""

    name: ClassVar[str] = "posterize"
    code = Code.POSTERIZE

    def __init__(self, *, bits: int, p: float) -> None:
        super().__init__(2.0**bits, p=p)


class Solarize(Tone):
    """Invert the values from ``threshold`` on."""

    name: ClassVar[str] = "solarize"
    code = Code.SOLARIZE

    def __init__(self, *, threshold: float, p: float) -> None:
        super().__init__(threshold, p=p)


class AutoContrast(Tone):
    """Stretch each channel to the full range."""

    name: ClassVar[str] = "autocontrast"
    code = Code.AUTOCONTRAST


class Equalize(Tone):
    """Flatten the histogram of each channel, at 256 levels."""

    name: ClassVar[str] = "equalize"
    code = Code.EQUALIZE


class Sharpness(Tone):
    """Blend with the smoothed image: ``factor`` 0 is the smoothed one, 1 the image, above 1 sharpens."""

    name: ClassVar[str] = "sharpness"
    code = Code.SHARPNESS

    def __init__(self, *, factor: float, p: float) -> None:
        super().__init__(factor, p=p)
