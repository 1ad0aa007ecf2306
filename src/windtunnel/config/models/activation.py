"""Activation names, for every model."""

from typing import Literal

ActivationName = Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "identity"]
