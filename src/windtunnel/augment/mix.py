"""MixUp, CutMix and a choice of them: blends of the images of a batch and of their labels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from windtunnel.augment.op import Frame, Params, Stream, gate

QUANTILES = 2**16


class MixingOp(ABC):
    """Blends each image with the one before it in the batch, as torchvision does; the first with the last."""

    name: ClassVar[str]

    @abstractmethod
    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw the parameters of ``ids``: a pure function of (stream, id)."""

    @abstractmethod
    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Float[Tensor, "b k"], params: Params
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b k"]]:
        """Return blended images and label weights."""


class MixUp(MixingOp):
    """Weighted mean of two images; the labels have the same weights."""

    name: ClassVar[str] = "mixup"

    def __init__(self, *, alpha: float, per: Literal["batch", "image"], p: float) -> None:
        self.per = per
        self.p = p
        self._quantiles = beta_quantiles(alpha)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on`` and ``share``: how much of the image itself stays."""
        drawn = stream.uniforms(ids, 2)
        return {"on": gate(drawn[0], self.p), "share": quantile(self._quantiles, drawn[1])}

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Float[Tensor, "b k"], params: Params
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b k"]]:
        """Return the weighted means."""
        params = shared(params, self.per)
        share = torch.where(params["on"], params["share"], 1.0).to(images.dtype)
        weight = share[:, None, None, None]
        blended = images * weight + images.roll(1, 0) * (1 - weight)
        return blended, mix_labels(labels, share.float())


class CutMix(MixingOp):
    """A box of one image pasted into another; the labels are weighted by area."""

    name: ClassVar[str] = "cutmix"

    def __init__(self, *, alpha: float, per: Literal["batch", "image"], p: float) -> None:
        self.per = per
        self.p = p
        self._quantiles = beta_quantiles(alpha)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``, the box ``left``, ``top``, ``right``, ``bottom`` (pixels) and ``share`` (area kept)."""
        drawn = stream.uniforms(ids, 4)
        reach = 0.5 * torch.sqrt(1 - quantile(self._quantiles, drawn[1]).double())
        across, down = torch.floor(reach * frame.width), torch.floor(reach * frame.height)
        x, y = torch.floor(drawn[2].double() * frame.width), torch.floor(drawn[3].double() * frame.height)
        left, right = (x - across).clamp_min(0), (x + across).clamp_max(frame.width)
        top, bottom = (y - down).clamp_min(0), (y + down).clamp_max(frame.height)
        share = 1 - (right - left) * (bottom - top) / (frame.width * frame.height)
        box = {"left": left, "top": top, "right": right, "bottom": bottom, "share": share}
        return {"on": gate(drawn[0], self.p), **{name: value.float() for name, value in box.items()}}

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Float[Tensor, "b k"], params: Params
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b k"]]:
        """Return the images with their boxes pasted in."""
        params = shared(params, self.per)
        pasted = (params["on"][:, None, None] & _inside(params, images))[:, None]
        share = torch.where(params["on"], params["share"], 1.0)
        return torch.where(pasted, images.roll(1, 0), images), mix_labels(labels, share)


class MixChoice(MixingOp):
    """One of several mixing ops for each batch."""

    name: ClassVar[str] = "mix_choice"

    def __init__(self, *, choices: Sequence[Any]) -> None:
        self.choices: tuple[MixingOp, ...] = tuple(choice.build() for choice in choices)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``choice`` (index) and, under ``<index>.<name>``, the parameters of every choice."""
        params = {"choice": torch.floor(stream.uniforms(ids, 1)[0] * len(self.choices)).to(torch.int8)}
        for index, op in enumerate(self.choices):
            own = Stream(stream.seed, f"{self.name}.{op.name}", index, stream.epoch)
            params |= {f"{index}.{name}": values for name, values in op.sample(own, ids, frame).items()}
        return params

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Float[Tensor, "b k"], params: Params
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b k"]]:
        """Return the batch mixed by the choice of its first image."""
        chosen = params["choice"][:1]
        for index, op in enumerate(self.choices):
            prefix = f"{index}."
            own = {name[len(prefix) :]: v for name, v in params.items() if name.startswith(prefix)}
            images, labels = op.mix(images, labels, {**own, "on": own["on"] & (chosen == index)})
        return images, labels


def beta_quantiles(alpha: float) -> Float[Tensor, " q"]:
    """Return equally likely values of the Beta(alpha, alpha) distribution, lowest first.

    A table rather than a sampler: looking a number up is the same on every device.
    """
    from scipy.special import betaincinv  # a tenth of a second that other runs need not spend

    middles = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
    return torch.from_numpy(betaincinv(alpha, alpha, middles.numpy())).float()


def quantile(table: Float[Tensor, " q"], values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Return the entry of ``table`` for each number in [0, 1)."""
    return table.to(values.device)[torch.floor(values * len(table)).long()]


def shared(params: Params, per: Literal["batch", "image"]) -> Params:
    """Return the first image's parameters for the whole batch, or each image's own."""
    return params if per == "image" else {name: values[:1] for name, values in params.items()}


def mix_labels(labels: Float[Tensor, "b k"], share: Float[Tensor, " _"]) -> Float[Tensor, "b k"]:
    """Return the label weights of images of which ``share`` is their own."""
    return labels * share[:, None] + labels.roll(1, 0) * (1 - share[:, None])


def _inside(params: Params, images: Float[Tensor, "b c h w"]) -> Bool[Tensor, "_ h w"]:
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device).view(1, -1, 1)
    x = torch.arange(width, device=images.device).view(1, 1, -1)
    left, top, right, bottom = (params[name][:, None, None] for name in ("left", "top", "right", "bottom"))
    return (x >= left) & (x < right) & (y >= top) & (y < bottom)
