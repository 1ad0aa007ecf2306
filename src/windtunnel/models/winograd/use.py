"""Whether a run can have its convolutions this way; numba is imported only then."""

import importlib.util

import torch
from torch import nn

from windtunnel.errors import UsageError


def check_can_use(device: torch.device) -> None:
    """Raise :class:`UsageError` where there is no numba, or no CPU to run on."""
    if device.type != "cpu":
        raise UsageError(
            f"runtime.convolution=winograd is for CPUs, not {device}; set runtime.convolution=direct, or "
            "runtime.device=cpu"
        )
    if importlib.util.find_spec("numba") is None:
        raise UsageError(
            "runtime.convolution=winograd needs numba: pip install 'windtunnel[numba]', or set "
            "runtime.convolution=direct"
        )


def use_winograd(model: nn.Module) -> None:
    """Replace the 3x3 convolutions of ``model`` by :class:`WinogradConv2d`.

    Raises:
        UsageError: it has none.
    """
    from windtunnel.models.winograd.layers import replace_convolutions

    if replace_convolutions(model) == 0:
        raise UsageError(
            "runtime.convolution=winograd: the network has no 3x3 convolution at stride 1 and without groups; set "
            "runtime.convolution=direct"
        )
