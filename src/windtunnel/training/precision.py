"""Number formats: autocast around float32 weights, or weights in the low format as well."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Precision:
    """The number format of a run.

    Args:
        device: where the model runs.
        dtype: format of activations.
        weights_too: weights are kept in ``dtype`` as well, norm layers excepted; no autocast then.
    """

    device: torch.device
    dtype: torch.dtype
    weights_too: bool

    @property
    def image_dtype(self) -> torch.dtype:
        """Format of the images handed to the model."""
        return self.dtype if self.weights_too else torch.float32

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context the forward pass runs in."""
        if self.dtype is torch.float32 or self.weights_too:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Return the loss scaler; it does nothing but for float16 activations over float32 weights."""
        needed = self.dtype is torch.float16 and not self.weights_too
        return torch.amp.GradScaler(self.device.type, enabled=needed)

    def convert(self, model: nn.Module) -> nn.Module:
        """Return ``model`` on the device, its weights in the run's format."""
        model = model.to(self.device)
        if self.weights_too and self.dtype is not torch.float32:
            for module in model.modules():
                if isinstance(module, nn.LayerNorm | nn.GroupNorm):
                    _compute_in_float32(module, self.dtype)
                elif not isinstance(module, nn.modules.batchnorm._NormBase):
                    _convert_own(module, self.dtype)
        return model


def _compute_in_float32(norm: nn.Module, dtype: torch.dtype) -> None:
    """Give ``norm`` float32 and the network ``dtype`` again: CUDA has no kernel of float32 weights for other inputs."""
    norm.register_forward_pre_hook(lambda module, inputs: tuple(tensor.float() for tensor in inputs))
    norm.register_forward_hook(lambda module, inputs, output: output.to(dtype))


def _convert_own(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert the floats that belong to ``module`` itself, not to its children."""
    for parameter in module.parameters(recurse=False):
        parameter.data = parameter.data.to(dtype)
    for name, buffer in module.named_buffers(recurse=False):
        if buffer.is_floating_point():
            module.register_buffer(name, buffer.to(dtype), persistent=name not in module._non_persistent_buffers_set)
