"""Mirror images: at random, and in turn."""

from typing import ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.augment.op import Coordinates, Frame, Params, Rearrangement, Stream, gate, per_image


class HorizontalFlip(Rearrangement):
    """Mirror left and right with probability ``p``."""

    name: ClassVar[str] = "horizontal_flip"

    def __init__(self, *, p: float) -> None:
        self.p = p

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``: whether the image is mirrored."""
        return {"on": gate(stream.uniforms(ids, 1)[0], self.p)}

    def trace(self, at: Coordinates, params: Params, frame: Frame) -> Coordinates:
        """Return the mirrored columns."""
        return at._replace(x=torch.where(per_image(params["on"]), frame.width - 1 - at.x, at.x))


class AlternatingFlip(HorizontalFlip):
    """Flip half of the images in epoch 0 and every image in turn after that.

    Source: airbench (Jordan 2024, section 3.6): each pair of epochs shows both views of every image.
    """

    name: ClassVar[str] = "alternating_flip"

    def __init__(self) -> None:
        super().__init__(p=0.5)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``: one coin for the whole run, turned over in odd epochs."""
        first = gate(stream.lasting_uniforms(ids, 1)[0], self.p)
        return {"on": ~first if stream.epoch % 2 else first}
