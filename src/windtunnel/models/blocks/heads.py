"""From feature maps to logits."""

from typing import Literal, cast

from jaxtyping import Float
from torch import Tensor, nn


class GlobalPool(nn.Module):
    """Average or maximum over all pixels.

    Args:
        kind: ``average`` or ``max``.
    """

    def __init__(self, kind: Literal["average", "max"]) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
        """Return one number a channel."""
        if self.kind == "average":
            return images.mean((2, 3))
        # not amax: its backward gave NaN under torch.compile 2.4
        return images.flatten(2).max(2).values


class Head(nn.Module):
    """Pool or flatten, optionally a hidden layer with norm and activation, then linear to the logits.

    Args:
        in_shape: channels, height and width of the maps.
        num_classes: outputs.
        pool: ``average``, ``max`` or ``flatten``.
        hidden: units of a hidden linear layer with layer norm and ReLU (S0); ``None`` has none.
        dropout: dropped share in front of the last layer.
        bias: whether the last layer has one.
        logit_scale: factor on the logits.
    """

    def __init__(
        self,
        *,
        in_shape: tuple[int, ...],
        num_classes: int,
        pool: Literal["average", "max", "flatten"],
        hidden: int | None,
        dropout: float,
        bias: bool,
        logit_scale: float,
    ) -> None:
        super().__init__()
        channels, height, width = in_shape
        self.pool = nn.Flatten() if pool == "flatten" else GlobalPool(pool)
        features = channels * height * width if pool == "flatten" else channels
        self.hidden = (
            nn.Identity()
            if hidden is None
            else nn.Sequential(nn.Linear(features, hidden), nn.LayerNorm(hidden), nn.ReLU(inplace=True))
        )
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.linear = nn.Linear(hidden or features, num_classes, bias=bias)
        self.logit_scale = logit_scale

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        logits = cast(Tensor, self.linear(self.dropout(self.hidden(self.pool(images)))))
        return logits if self.logit_scale == 1 else logits * self.logit_scale
