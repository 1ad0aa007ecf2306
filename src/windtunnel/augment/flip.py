"""Mirror images: at random, and in turn."""

from typing import ClassVar

from jaxtyping import Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Slot, Step, make_step
from windtunnel.augment.op import Frame, Op, Params, Stream, gate


class Flip(Op):
    """Mirror along one axis; a base for the three ops that differ in the axis and in who is mirrored when."""

    code: ClassVar[Code]

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (Slot((self.code,)),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        return (make_step(params["on"], self.code),)


class HorizontalFlip(Flip):
    """Mirror left and right with probability ``p``."""

    name: ClassVar[str] = "horizontal_flip"
    code = Code.FLIP_X

    def __init__(self, *, p: float) -> None:
        self.p = p

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``: whether the image is mirrored."""
        return {"on": gate(stream.uniforms(ids, 1)[0], self.p)}


class VerticalFlip(Flip):
    """Mirror top and bottom with probability ``p``."""

    name: ClassVar[str] = "vertical_flip"
    code = Code.FLIP_Y

    def __init__(self, *, p: float) -> None:
        self.p = p

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``: whether the image is mirrored."""
        return {"on": gate(stream.uniforms(ids, 1)[0], self.p)}


class AlternatingFlip(Flip):
    """Flip half of the images in epoch 0 and every image in turn after that.

    Source: airbench (Jordan 2024, section 3.6): each pair of epochs shows both views of every image.
    """

    name: ClassVar[str] = "alternating_flip"
    code = Code.FLIP_X

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``: one coin for the whole run, turned over in odd epochs."""
        first = gate(stream.lasting_uniforms(ids, 1)[0], 0.5)
        return {"on": ~first if stream.epoch % 2 else first}
