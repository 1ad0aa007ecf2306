"""Configs of every model: one family per file, gathered here into one union."""

from collections.abc import Mapping
from typing import Annotated, Any

from windtunnel.config.base import ComponentOf
from windtunnel.config.models.airbench import AIRBENCH_PRESETS, Airbench
from windtunnel.config.models.blocks import Sequential
from windtunnel.config.models.classic import CLASSIC_PRESETS, Cnn, Lenet, Mlp
from windtunnel.config.models.external import Timm, adopt_module
from windtunnel.config.models.funnel import Funnel
from windtunnel.config.models.improved_resnet import ImprovedResnet
from windtunnel.config.models.modern import MODERN_PRESETS, CompactTransformer, Convnext, DensenetBc
from windtunnel.config.models.resnet import (
    RESNET_PRESETS,
    CifarResnet,
    PreactResnet,
    Resnet18,
    Resnext,
    WideResnet,
)
from windtunnel.config.models.s0 import S0_PRESETS
from windtunnel.config.models.slim_resnet import SlimResnet

MODEL_PRESETS: Mapping[str, Mapping[str, Any]] = {
    **CLASSIC_PRESETS,
    **S0_PRESETS,
    **AIRBENCH_PRESETS,
    **RESNET_PRESETS,
    **MODERN_PRESETS,
}

ModelConfig = Annotated[
    Airbench
    | CifarResnet
    | Cnn
    | CompactTransformer
    | Convnext
    | DensenetBc
    | Funnel
    | ImprovedResnet
    | Lenet
    | Mlp
    | PreactResnet
    | Resnet18
    | Resnext
    | Sequential
    | SlimResnet
    | WideResnet,
    ComponentOf("model", MODEL_PRESETS, adopt=adopt_module, prefixes={"timm/": Timm}),
]
