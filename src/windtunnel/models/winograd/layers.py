"""Putting the convolution into a network in place of torch's."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, float32, nn
from torch.nn.utils.parametrize import is_parametrized

from windtunnel.models.winograd.convolution import winograd_conv2d
from windtunnel.models.winograd.rule import is_worth_it


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution that multiplies less where :func:`is_worth_it` says so, and is torch's own elsewhere.

    Args:
        replaced: the convolution whose filters, bias and mode it takes over.
    """

    def __init__(self, replaced: nn.Conv2d) -> None:
        super().__init__(
            replaced.in_channels, replaced.out_channels, 3, padding=_padding(replaced), bias=False, device="meta"
        )
        self.weight, self.bias = replaced.weight, replaced.bias
        self.train(replaced.training)

    def forward(self, input: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b d g v"]:
        """Return the convolved images; a single one without a batch axis runs through torch's own, too."""
        padding = cast(int, self.padding[0])
        # a subclass, such as the tensors without data that costs are counted on, has no numbers to compute with
        has_numbers = type(input) is Tensor and input.device.type == "cpu" and input.ndim == 4
        is_plain = has_numbers and input.dtype is self.weight.dtype is float32
        if not is_plain or not is_worth_it(input.shape, self.out_channels, padding):
            return super().forward(input)
        convolved = winograd_conv2d(input, self.weight, padding)
        return convolved if self.bias is None else convolved + self.bias[:, None, None]


def replace_convolutions(model: nn.Module) -> int:
    """Replace what can be replaced in ``model``, names and weights kept; return how many layers that were."""
    replacements: dict[nn.Module, WinogradConv2d] = {}
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if path and isinstance(module, nn.Conv2d) and _can_be_replaced(module):
            owner, _, name = path.rpartition(".")
            replacement = replacements.get(module) or WinogradConv2d(module)
            replacements[module] = replacement
            setattr(model.get_submodule(owner), name, replacement)
    return len(replacements)


def _can_be_replaced(conv: nn.Conv2d) -> bool:
    is_torchs = type(conv).forward is nn.Conv2d.forward and type(conv)._conv_forward is nn.Conv2d._conv_forward
    is_torchs = is_torchs and not _holds_more(conv)
    shape = (conv.kernel_size, conv.stride, conv.dilation, conv.groups, conv.padding_mode)
    known = shape == ((3, 3), (1, 1), (1, 1), 1, "zeros") and conv.padding in ("valid", "same", (0, 0), (1, 1))
    return is_torchs and known and not is_parametrized(conv)


def _holds_more(conv: nn.Conv2d) -> bool:
    """Say whether ``conv`` has hooks, weights or attributes that torch's own has not, which would be lost."""
    plain = nn.Conv2d(1, 1, 1, device="meta")
    hooks = (conv._forward_hooks, conv._forward_pre_hooks, conv._backward_hooks, conv._backward_pre_hooks)
    return any(hooks) or _names_held(conv) != _names_held(plain)


def _names_held(conv: nn.Conv2d) -> list[set[str]]:
    return [set(held) for held in (vars(conv), conv._parameters, conv._buffers, conv._modules)]


def _padding(conv: nn.Conv2d) -> int:
    return int(conv.padding in ("same", (1, 1)))
