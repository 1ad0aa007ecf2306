"""Configs of every model: one family per file, gathered here into one union."""

from collections.abc import Mapping
from typing import Annotated, Any

from windtunnel.config.base import ComponentOf
from windtunnel.config.models.airbench import AIRBENCH_PRESETS, Airbench
from windtunnel.config.models.classic import Cnn, Lenet, Mlp
from windtunnel.config.models.slim_resnet import SlimResnet

MODEL_PRESETS: Mapping[str, Mapping[str, Any]] = {**AIRBENCH_PRESETS}

ModelConfig = Annotated[Airbench | Cnn | Lenet | Mlp | SlimResnet, ComponentOf("model", MODEL_PRESETS)]
