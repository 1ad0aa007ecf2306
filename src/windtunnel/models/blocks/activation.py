"""Activations by name."""

from collections.abc import Callable, Mapping

from torch import nn

from windtunnel.errors import ModelError
from windtunnel.registry import suggest

# Only those whose backward reads their output may overwrite their input.
_FACTORIES: Mapping[str, Callable[[bool], nn.Module]] = {
    "relu": lambda inplace: nn.ReLU(inplace=inplace),
    "leaky_relu": lambda inplace: nn.LeakyReLU(0.01, inplace=inplace),
    "gelu": lambda inplace: nn.GELU(),
    "silu": lambda inplace: nn.SiLU(),
    "tanh": lambda inplace: nn.Tanh(),
    "identity": lambda inplace: nn.Identity(),
}


def build_activation(activation: str, *, inplace: bool = False) -> nn.Module:
    """Return a new activation.

    Args:
        activation: ``relu``, ``leaky_relu`` (slope 0.01), ``gelu``, ``silu``, ``tanh`` or ``identity``.
        inplace: overwrite the input where the activation's backward allows it; only right when nobody else
            needs the input, such as behind a norm layer.

    Raises:
        ModelError: the name is unknown.
    """
    if activation not in _FACTORIES:
        near = suggest(activation, _FACTORIES)
        hint = f"; did you mean {near!r}?" if near else ""
        raise ModelError(f"there is no activation {activation!r}{hint} known: {', '.join(_FACTORIES)}")
    return _FACTORIES[activation](inplace)
