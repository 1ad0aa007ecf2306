"""Grayscale, inversion and colour jitter, with torchvision's distributions."""

import itertools
import math
from typing import ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Slot, Step, make_step
from windtunnel.augment.op import Frame, Op, Params, Stream, between, gate


class Grayscale(Op):
    """Take the colour out with probability ``p``."""

    name: ClassVar[str] = "grayscale"

    def __init__(self, *, p: float) -> None:
        self.p = p

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``."""
        return {"on": gate(stream.uniforms(ids, 1)[0], self.p)}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot, or none for images without colour."""
        return (Slot((Code.GRAY,)),) if frame.channels == 3 else ()

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the step of the slot, if any."""
        return (make_step(params["on"], Code.GRAY),) if frame.channels == 3 else ()


class Invert(Op):
    """Turn white into black with probability ``p``."""

    name: ClassVar[str] = "invert"

    def __init__(self, *, p: float) -> None:
        self.p = p

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``."""
        return {"on": gate(stream.uniforms(ids, 1)[0], self.p)}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (Slot((Code.INVERT,)),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        return (make_step(params["on"], Code.INVERT),)


class ColorJitter(Op):
    """Change brightness, contrast, saturation and hue, in an order of the image's own.

    Each change sees the result, clamped, of the one before it.
    """

    name: ClassVar[str] = "color_jitter"

    def __init__(self, *, brightness: float, contrast: float, saturation: float, hue: float, p: float) -> None:
        self.bounds = {
            Code.BRIGHTNESS: (max(0.0, 1 - brightness), 1 + brightness),
            Code.CONTRAST: (max(0.0, 1 - contrast), 1 + contrast),
            Code.SATURATION: (max(0.0, 1 - saturation), 1 + saturation),
            Code.HUE: (-hue, hue),
        }
        self.p = p

    def active(self, frame: Frame) -> tuple[Code, ...]:
        """Return the changes that can show: those of a range, and of colour only where there is colour."""
        colourless = frame.channels == 1
        return tuple(
            code
            for code, (low, high) in self.bounds.items()
            if high > low and not (colourless and code in (Code.SATURATION, Code.HUE))
        )

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``, the factors, and ``order`` (n k): the changes' codes, first to last."""
        drawn = stream.uniforms(ids, 6)
        params = {
            code.name.lower(): between(self.bounds[code], drawn[2 + index]).float()
            for index, code in enumerate(self.bounds)
        }
        orders = list(itertools.permutations(self.active(frame)))
        choice = torch.floor(drawn[1] * math.factorial(len(self.active(frame)))).long()
        order = torch.tensor(orders, dtype=torch.int8, device=ids.device)
        return {**params, "on": gate(drawn[0], self.p), "order": order[choice]}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return a slot for each change; any of them may happen in any slot."""
        active = self.active(frame)
        return (Slot(active, 1),) * len(active)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return a step for each place in the order."""
        factors = torch.stack([params[code.name.lower()] for code in self.bounds], 1)
        first = min(self.bounds)
        steps = []
        for place in range(len(self.active(frame))):
            codes = params["order"][:, place]
            chosen = factors.gather(1, (codes.long() - first)[:, None])
            steps.append(Step(codes * params["on"], chosen))
        return tuple(steps)
