"""Gaussian blur of a random width."""

from typing import ClassVar

from jaxtyping import Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Slot, Step, make_step
from windtunnel.augment.op import Frame, Op, Params, Stream, between, gate
from windtunnel.errors import UsageError


class GaussianBlur(Op):
    """Blur with a Gaussian kernel; the image is reflected at its edges."""

    name: ClassVar[str] = "gaussian_blur"

    def __init__(self, *, kernel_size: int, sigma: tuple[float, float], p: float) -> None:
        self.kernel_size = kernel_size
        self.sigma = sigma
        self.p = p

    def check(self, frame: Frame) -> None:
        """Raise UsageError when the kernel reaches beyond the reflected image."""
        super().check(frame)
        if self.kernel_size // 2 >= min(frame.height, frame.width):
            raise UsageError(
                f"gaussian_blur: kernel_size {self.kernel_size} is too large for images of {frame.height}x{frame.width}"
            )

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on`` and ``sigma`` (pixels)."""
        drawn = stream.uniforms(ids, 2)
        return {"on": gate(drawn[0], self.p), "sigma": between(self.sigma, drawn[1]).float()}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (Slot((Code.BLUR,), 1, kernel_size=self.kernel_size),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        return (make_step(params["on"], Code.BLUR, params["sigma"]),)
