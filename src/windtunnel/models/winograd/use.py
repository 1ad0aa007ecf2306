"""Whether a run can have its convolutions this way; numba is imported only then."""

import importlib.util

import torch
from torch import nn

from windtunnel.errors import UsageError


def why_not(device: torch.device) -> str:
    """Return what keeps runs on ``device`` from using it, with what to do about it; empty when nothing does."""
    if device.type != "cpu":
        return f"is for CPUs, not {device}; set runtime.convolution=direct, or runtime.device=cpu"
    if importlib.util.find_spec("numba") is None:
        return "needs numba: pip install 'windtunnel[numba]', or set runtime.convolution=direct"
    return ""


def check_can_use(device: torch.device) -> None:
    """Raise :class:`UsageError` where there is no numba, or no CPU to run on."""
    if reason := why_not(device):
        raise UsageError(f"runtime.convolution=winograd {reason}")


def use_winograd(model: nn.Module) -> None:
    """Replace the 3x3 convolutions of ``model`` by :class:`WinogradConv2d`.

    Raises:
        UsageError: it has none.
    """
    from windtunnel.models.winograd.layers import replace_convolutions

    if replace_convolutions(model) == 0:
        raise UsageError(
            "runtime.convolution=winograd: the network has no 3x3 convolution of torch's own kind at stride 1 and "
            "without groups; set runtime.convolution=direct"
        )
