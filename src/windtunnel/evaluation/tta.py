"""Test-time augmentation: several views of each image and the weighted mean of what the network says of them."""

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.evaluation.views import Blur, HorizontalFlip, Mirrored, Original, Shift, VerticalFlip, View

Average = Literal["logits", "probabilities"]


class Views(Protocol):
    """Logits of a batch from one or more views of it."""

    @property
    def passes_per_image(self) -> float:
        """Forward passes an image costs, on average."""

    @property
    def only_least_confident(self) -> float:
        """Fraction of the images that get all views; the others get the plain one."""

    def check(self, height: int, width: int) -> None:
        """Raise UsageError when images of this size have no such views."""

    def __call__(
        self, model: nn.Module, images: Float[Tensor, "b c h w"], plain: Float[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b k"]:
        """Return float32 logits from all views; ``plain``, where given, are those of the image itself."""


class PlainView:
    """The image itself (airbench level 0)."""

    passes_per_image = 1.0
    only_least_confident = 1.0

    def check(self, height: int, width: int) -> None:
        """Accept every size."""

    def __call__(
        self, model: nn.Module, images: Float[Tensor, "b c h w"], plain: Float[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b k"]:
        """Return ``model(images)``."""
        # a copy: a network captured as a CUDA graph writes its next answer into the same memory
        return model(images).to(torch.float32, copy=True) if plain is None else plain


class WeightedViews:
    """The weighted mean of several views' logits, or the logarithm of that of their probabilities.

    The softmax of the result is the mean probability in the second case, so results of both kinds are logits.

    Args:
        views: the views; their weights are divided by their sum.
        mirrored: add the mirror image of every view, at the view's weight.
        average: what the mean is taken of.
        only_least_confident: fraction of the images that get the views at all (see ``predict_logits``).
    """

    def __init__(
        self,
        *,
        views: Sequence[View],
        mirrored: bool = False,
        average: Average = "logits",
        only_least_confident: float = 1.0,
    ) -> None:
        self.views = [*views, *(_mirror(view) for view in views)] if mirrored else list(views)
        total = sum(view.weight for view in self.views)
        self.shares = [view.weight / total for view in self.views]
        self.average = average
        self.only_least_confident = only_least_confident

    @property
    def passes_per_image(self) -> float:
        """Forward passes an image costs, on average: a plain one serves as the original among the views."""
        if self.only_least_confident == 1:
            return float(len(self.views))
        further = sum(not isinstance(view, Original) for view in self.views)
        return 1 + self.only_least_confident * further

    def check(self, height: int, width: int) -> None:
        """Raise UsageError when images of this size lack one of the views."""
        for view in self.views:
            view.check(height, width)

    def __call__(
        self, model: nn.Module, images: Float[Tensor, "b c h w"], plain: Float[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b k"]:
        """Return the mean; ``plain`` stands for the pass over the original."""
        mean = None
        for view, share in zip(self.views, self.shares, strict=True):
            known = plain if isinstance(view, Original) else None
            logits = model(view.apply(images)).float() if known is None else known
            part = logits * share if self.average == "logits" else logits.log_softmax(1) + math.log(share)
            mean = part if mean is None else self._add(mean, part)
        assert mean is not None, "a mean of views has at least one"
        return mean

    def _add(self, mean: Float[Tensor, "b k"], part: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        return mean + part if self.average == "logits" else torch.logaddexp(mean, part)


def flip_views(*, average: Average, only_least_confident: float) -> WeightedViews:
    """Return the image and its mirror image. Source: airbench level 1 (Jordan 2024)."""
    return WeightedViews(
        views=[Original(weight=1)], mirrored=True, average=average, only_least_confident=only_least_confident
    )


def flip_translate_views(*, average: Average, only_least_confident: float) -> WeightedViews:
    """Return six views: the image, half, and its two diagonal shifts by a pixel, a quarter each, all mirrored too.

    Source: airbench level 2 (Jordan 2024), which cuts the shifts from the image padded by a reflected pixel.
    """
    views: list[View] = [Original(weight=2), Shift(dx=1, dy=1, weight=1), Shift(dx=-1, dy=-1, weight=1)]
    return WeightedViews(views=views, mirrored=True, average=average, only_least_confident=only_least_confident)


def five_views(*, average: Average, only_least_confident: float) -> WeightedViews:
    """Return the image twice, its mirror image, upside down, and blurred.

    Source: S4. Its fourth view, the centre crop of the image padded by 4, is the image itself. It does not say how
    wide its 3x3 blur was: here by the middle of the widths it trained with, 0.1 to 1.5.
    """
    views: list[View] = [
        Original(weight=2),
        HorizontalFlip(weight=1),
        VerticalFlip(weight=1),
        Blur(kernel_size=3, sigma=0.8, weight=1),
    ]
    return WeightedViews(views=views, average=average, only_least_confident=only_least_confident)


def _mirror(view: View) -> View:
    return HorizontalFlip(weight=view.weight) if isinstance(view, Original) else Mirrored(view)
