"""DenseNet-BC, ConvNeXt and compact transformers for small images."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from windtunnel.config.base import Component, Count, Counts, OpenFraction, PositiveReal


class DensenetBc(Component):
    """DenseNet-BC with three dense blocks."""

    target: ClassVar[str] = "windtunnel.models.zoo.densenet:Densenet"
    name: Literal["densenet_bc"] = "densenet_bc"
    depth: Count = 100
    """Convolutions and the head on the longest path, 6 n + 4."""
    growth: Count = 12
    """Channels a layer adds."""


class Convnext(Component):
    """ConvNeXt; the defaults are the atto size with 2x2 patches."""

    target: ClassVar[str] = "windtunnel.models.zoo.convnext:Convnext"
    name: Literal["convnext"] = "convnext"
    depths: Counts = (2, 2, 6, 2)
    """Blocks of each stage."""
    widths: Counts = (40, 80, 160, 320)
    """Channels of each stage."""
    patch_size: Count = 2
    """Side of the stem's patches, pixels."""
    drop_path: OpenFraction = 0.0
    """Probability of dropping the last block's path; falls linearly to 0 at the first."""


class CompactTransformer(Component):
    """ViT-Lite, CVT and CCT; the defaults are CCT-7/3x1."""

    target: ClassVar[str] = "windtunnel.models.zoo.compact_transformer:CompactTransformer"
    name: Literal["compact_transformer"] = "compact_transformer"
    tokenizer: Literal["conv", "patch"] = "conv"
    """Tokens from 3x3 convolutions with pools, or from square patches."""
    convolutions: Count = 1
    """Convolutions of the ``conv`` tokenizer."""
    patch_size: Count = 4
    """Side of the patches of the ``patch`` tokenizer, pixels."""
    pool: Literal["sequence", "class_token"] = "sequence"
    """Learnt mean of the tokens, or a class token."""
    depth: Count = 7
    """Encoder layers."""
    dim: Count = 256
    """Width of the tokens."""
    heads: Count = 4
    """Heads of the attention; divides ``dim``."""
    mlp_ratio: PositiveReal = 2.0
    """Hidden width of the MLPs over ``dim``."""
    dropout: OpenFraction = 0.0
    """Dropped share in the MLPs and behind the positions."""
    drop_path: OpenFraction = 0.1
    """Probability of dropping the last layer's paths; falls linearly to 0 at the first."""


MODERN_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "densenet_bc_40_12": {"name": "densenet_bc", "depth": 40},
    "densenet_bc_100_12": {"name": "densenet_bc", "depth": 100},
    "convnext_atto": {"name": "convnext"},
    "cct_2_3x2": {
        "name": "compact_transformer",
        "convolutions": 2,
        "depth": 2,
        "dim": 128,
        "heads": 2,
        "mlp_ratio": 1.0,
    },
    "cct_7_3x1": {"name": "compact_transformer"},
    "vit_lite_7_4": {"name": "compact_transformer", "tokenizer": "patch", "pool": "class_token"},
}
