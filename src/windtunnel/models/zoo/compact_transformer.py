"""Small vision transformers that train from scratch on small sets: ViT-Lite, CVT and CCT.

Source: Hassani et al. 2021, "Escaping the Big Data Paradigm" (arXiv 2104.05704). With 10 classes and 32 px: 3.72 M
parameters for ViT-Lite-7/4 and 3.76 M for CCT-7/3x1. Deliberate deviations: the encoder layer is the plain
pre-norm one, where the paper's public code norms the residual stream itself between attention and MLP (the
parameters are the same); no dropout of attention weights, of which that code drops 0.1.
"""

import itertools
import math
from typing import ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.stochastic_depth import StochasticDepth, rising_rates
from windtunnel.models.shapes import infer_shape

_WEIGHT_STD = 0.02
_POSITION_STD = 0.2


class SelfAttention(nn.Module):
    """Multi-head self-attention; queries, keys and values without bias.

    Args:
        dim: width of the tokens.
        heads: heads; divides ``dim``.

    Raises:
        ModelError: ``heads`` does not divide ``dim``.
    """

    def __init__(self, *, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ModelError(f"{heads} heads do not divide a width of {dim}")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        """Return what each token gathers from all."""
        batch, count, dim = tokens.shape
        queries, keys, values = (
            self.qkv(tokens).reshape(batch, count, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        )
        gathered = F.scaled_dot_product_attention(queries, keys, values)
        return cast(Tensor, self.out(gathered.transpose(1, 2).reshape(batch, count, dim)))


class PreNormPath(nn.Module):
    """A norm and a path behind it; the input is added.

    Args:
        dim: width of the tokens.
        path: keeps the shape.
        drop_path: probability of dropping the path.
    """

    skip: ClassVar[str] = "add"

    def __init__(self, *, dim: int, path: nn.Module, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.path = path
        self.drop_path = StochasticDepth(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, tokens: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        """Return tokens + path(norm(tokens))."""
        return tokens + cast(Tensor, self.drop_path(self.path(self.norm(tokens))))


class EncoderLayer(nn.Sequential):
    """Attention and a two-layer MLP, each behind a norm and added to its input.

    Args:
        dim: width of the tokens.
        heads: heads of the attention.
        mlp_ratio: hidden width of the MLP over ``dim``.
        dropout: dropped share of the MLP's outputs.
        drop_path: probability of dropping either path.

    Raises:
        ModelError: ``mlp_ratio`` leaves the MLP no width.
    """

    def __init__(self, *, dim: int, heads: int, mlp_ratio: float, dropout: float, drop_path: float) -> None:
        hidden = int(dim * mlp_ratio)
        if not hidden:
            raise ModelError(
                f"compact_transformer: mlp_ratio={mlp_ratio:g} of dim={dim} is an MLP of no width; "
                f"give a mlp_ratio of at least {1 / dim:g}"
            )
        mlp = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.GELU(),
            _dropout(dropout),
            nn.Linear(hidden, dim),
            _dropout(dropout),
        )
        super().__init__(
            PreNormPath(dim=dim, path=SelfAttention(dim=dim, heads=heads), drop_path=drop_path),
            PreNormPath(dim=dim, path=mlp, drop_path=drop_path),
        )


class SequencePool(nn.Module):
    """Mean of the tokens under learnt weights.

    Args:
        dim: width of the tokens.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, tokens: Float[Tensor, "b t d"]) -> Float[Tensor, "b d"]:
        """Return one token an image."""
        weights = self.score(tokens).softmax(dim=1)
        return cast(Tensor, weights.transpose(1, 2) @ tokens).squeeze(1)


class CompactTransformer(nn.Module):
    """Tokens from convolutions or patches, learnt positions, encoder layers, pool, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; fixed by the positions.
        tokenizer: ``conv`` (3x3 convolutions with ReLU and overlapping max pools) or ``patch``.
        convolutions: convolutions of the ``conv`` tokenizer.
        patch_size: side of the patches of the ``patch`` tokenizer, pixels.
        pool: ``sequence`` (CCT, CVT) or ``class_token`` (ViT).
        depth: encoder layers.
        dim: width of the tokens.
        heads: heads of each layer.
        mlp_ratio: hidden width of the MLPs over ``dim``.
        dropout: dropped share in the MLPs and behind the positions.
        drop_path: probability of dropping the last layer's paths; falls linearly to 0 at the first.

    Raises:
        ModelError: the patches do not divide the images, or the heads the width, or ``mlp_ratio`` leaves no width.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        tokenizer: Literal["conv", "patch"],
        convolutions: int,
        patch_size: int,
        pool: Literal["sequence", "class_token"],
        depth: int,
        dim: int,
        heads: int,
        mlp_ratio: float,
        dropout: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        if tokenizer == "patch" and (image_size[0] % patch_size or image_size[1] % patch_size):
            raise ModelError(f"compact_transformer: patches of {patch_size} px do not divide {image_size} images")
        self.tokenizer = (
            _conv_tokenizer(in_channels, dim, convolutions=convolutions)
            if tokenizer == "conv"
            else nn.Conv2d(in_channels, dim, patch_size, stride=patch_size, bias=False)
        )
        tokens = math.prod(infer_shape(self.tokenizer, (in_channels, *image_size))[1:])
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if pool == "class_token" else None
        self.positions = nn.Parameter(torch.zeros(1, tokens + (pool == "class_token"), dim))
        self.dropout = _dropout(dropout)
        self.layers = nn.Sequential(
            *(
                EncoderLayer(dim=dim, heads=heads, mlp_ratio=mlp_ratio, dropout=dropout, drop_path=rate)
                for rate in rising_rates(drop_path, depth)
            )
        )
        self.norm = nn.LayerNorm(dim)
        self.pool = SequencePool(dim) if pool == "sequence" else None
        self.head = nn.Linear(dim, num_classes)
        self._initialise()

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        tokens = self.tokenizer(images).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        tokens = self.norm(self.layers(self.dropout(tokens + self.positions)))
        pooled = tokens[:, 0] if self.pool is None else self.pool(tokens)
        return cast(Tensor, self.head(pooled))

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.positions, std=_POSITION_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_WEIGHT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)


def _dropout(p: float) -> nn.Module:
    return nn.Dropout(p) if p > 0 else nn.Identity()


def _conv_tokenizer(in_channels: int, dim: int, *, convolutions: int) -> nn.Sequential:
    widths = (in_channels, *(64,) * (convolutions - 1), dim)
    return nn.Sequential(
        *(
            nn.Sequential(
                nn.Conv2d(source, width, 3, padding=1, bias=False),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, stride=2, padding=1),
            )
            for source, width in itertools.pairwise(widths)
        )
    )
