"""What a network consists of and costs, layer by layer, found on torch's meta device without computing.

Multiply-adds come from torch's FLOP counter, which sees every convolution and matrix product of any module, own
ones and timm's included; a MAC is two FLOPs. Norms, activations, pools and additions count nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from windtunnel.errors import ModelError
from windtunnel.models.shapes import REFUSALS, Shape, describe_shape, first_line, in_mode, run_on_meta

_BYTES = 4  # float32
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class Layer:
    """One module of a network.

    Args:
        label: kind and running number in the order of execution, e.g. ``Conv2d-1``.
        name: dotted name, e.g. ``stages.0.0.conv1``; ``""`` is the network itself.
        kind: class.
        in_shape: shape of its input without the batch axis.
        out_shape: shape of its output without the batch axis.
        parameters: its own, or with a depth limit those of everything within.
        macs: multiply-adds for one image, likewise.
    """

    label: str
    name: str
    kind: str
    in_shape: Shape
    out_shape: Shape
    parameters: int
    macs: int


@dataclass(frozen=True)
class ModelSummary:
    """A network's layers and totals.

    Args:
        layers: in the order of execution; blocks follow their layers, containers and in-place activations are
            left out.
        parameters: all of them.
        trainable: those that train.
        macs: multiply-adds of one image's forward pass.
        input_mib: one image in float32.
        forward_backward_mib: outputs of the layers for one image and their gradients, in float32, as S4 counts.
        parameters_mib: the parameters in float32.
        batch_size: images that ``activations_mib`` is for.
        activations_mib: tensors autograd keeps for the backward pass of a batch, in float32.
    """

    layers: tuple[Layer, ...]
    parameters: int
    trainable: int
    macs: int
    input_mib: float
    forward_backward_mib: float
    parameters_mib: float
    batch_size: int
    activations_mib: float

    @property
    def flops(self) -> int:
        """Return the floating-point operations of one image's forward pass: two a multiply-add."""
        return 2 * self.macs

    @property
    def total_mib(self) -> float:
        """Return S4's estimate for one image: input, forward and backward, parameters."""
        return self.input_mib + self.forward_backward_mib + self.parameters_mib


@dataclass(frozen=True)
class _Call:
    name: str
    module: nn.Module
    in_shape: Shape
    out_shape: Shape
    in_place: bool


def summarise(module: nn.Module, *, in_shape: Shape, batch_size: int = 256, depth: int | None = None) -> ModelSummary:
    """Return the summary of ``module`` for images of ``in_shape``.

    Args:
        module: the network; left as it is.
        in_shape: channels, height, width.
        batch_size: images a training step, for the activation memory.
        depth: show modules nested this deep as one row each; ``None`` shows every layer.

    Raises:
        ModelError: the network does not take such images.

    """
    calls = _record_calls(module, in_shape)
    macs = count_macs(module, in_shape)
    everything = _rows(calls, macs, depth=None)
    numel = sum(_volume(layer.out_shape) for layer in everything)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return ModelSummary(
        layers=everything if depth is None else _rows(calls, macs, depth=depth),
        parameters=parameters,
        trainable=sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        macs=macs.get("", 0),
        input_mib=_volume(in_shape) * _BYTES / _MEBIBYTE,
        forward_backward_mib=2 * numel * _BYTES / _MEBIBYTE,
        parameters_mib=parameters * _BYTES / _MEBIBYTE,
        batch_size=batch_size,
        activations_mib=activation_bytes(module, in_shape, batch_size=batch_size) / _MEBIBYTE,
    )


def count_macs(module: nn.Module, in_shape: Shape) -> dict[str, int]:
    """Return the multiply-adds of one image by module name; ``""`` is the whole network."""
    counter = FlopCounterMode(display=False)
    with in_mode(module, training=False), torch.no_grad(), counter:
        _run_on_meta(module, (1, *in_shape))
    root = type(module).__name__
    return {
        name.removeprefix(root).removeprefix("."): sum(counts.values()) // 2
        for name, counts in counter.get_flop_counts().items()
        if name.startswith(root)
    }


def activation_bytes(module: nn.Module, in_shape: Shape, *, batch_size: int) -> int:
    """Return the bytes autograd keeps between the forward and backward pass of a float32 batch.

    Counts each storage once and leaves parameters and buffers out.

    Raises:
        ModelError: the network does not take such images.

    """
    if batch_size == 1:  # which batch norm may refuse to train on; what is kept grows by the same for every image
        few, many = (activation_bytes(module, in_shape, batch_size=size) for size in (2, 3))
        return 2 * few - many
    try:
        return _kept_bytes(module, (batch_size, *in_shape))
    except REFUSALS as error:
        raise _refusal(module, in_shape, error) from error


def _kept_bytes(module: nn.Module, shape: Sequence[int]) -> int:
    mode = FakeTensorMode()  # unlike meta tensors these pick the CPU's own kernels, attention's for one
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with mode:
        state = {name: _stand_in(tensor) for name, tensor in named.items()}
    fixed = {tensor.untyped_storage()._cdata for tensor in state.values()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in fixed:
            kept[storage._cdata] = storage  # held, so that no later storage takes its place
        return tensor

    with in_mode(module, training=True), mode, torch.enable_grad():
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            functional_call(module, state, torch.empty(*shape))
    return sum(storage.nbytes() for storage in kept.values())


def _stand_in(tensor: Tensor) -> Tensor:
    """Return a tensor like ``tensor`` on the CPU, floats in float32, wherever and in whatever format it is."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=dtype, device="cpu").requires_grad_(
        tensor.requires_grad
    )


def _run_on_meta(module: nn.Module, shape: Sequence[int]) -> None:
    try:
        run_on_meta(module, shape)
    except REFUSALS as error:
        raise _refusal(module, tuple(shape[1:]), error) from error


def _refusal(module: nn.Module, in_shape: Shape, error: Exception) -> ModelError:
    taken = describe_shape(in_shape)
    return ModelError(f"{type(module).__name__} does not take images of {taken}: {first_line(error)}")


def _record_calls(module: nn.Module, in_shape: Shape) -> list[_Call]:
    names = {part: name for name, part in module.named_modules()}
    calls: list[_Call] = []

    def record(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        given = next((value for value in inputs if isinstance(value, Tensor)), None)
        if given is None or not isinstance(output, Tensor):
            return
        in_place = output is given
        calls.append(_Call(names[part], part, tuple(given.shape[1:]), tuple(output.shape[1:]), in_place))

    handles = [part.register_forward_hook(record) for part in names]
    try:
        with in_mode(module, training=False), torch.no_grad():
            _run_on_meta(module, (2, *in_shape))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _rows(calls: Sequence[_Call], macs: Mapping[str, int], *, depth: int | None) -> tuple[Layer, ...]:
    rows: list[Layer] = []
    seen: set[str] = set()
    for call in calls:
        level = call.name.count(".") + 1 if call.name else 0
        if depth is not None and level > depth:
            continue
        whole = depth is not None and level == depth
        parameters = _parameters(call.module, whole=whole) if call.name not in seen else 0
        if isinstance(call.module, nn.Identity) or (not whole and _is_hidden(call, parameters)):
            continue
        spent = macs.get(call.name, 0) if whole else _own_macs(call, macs)
        rows.append(_layer(call, len(rows) + 1, parameters, spent if call.name not in seen else 0))
        seen.add(call.name)
    return tuple(rows)


def _layer(call: _Call, number: int, parameters: int, macs: int) -> Layer:
    kind = type(call.module).__name__
    return Layer(f"{kind}-{number}", call.name, kind, call.in_shape, call.out_shape, parameters, macs)


def _is_hidden(call: _Call, parameters: int) -> bool:
    container = isinstance(call.module, nn.Sequential) or call.name == ""
    return (container or call.in_place) and not parameters


def _parameters(module: nn.Module, *, whole: bool) -> int:
    return sum(parameter.numel() for parameter in module.parameters(recurse=whole))


def _own_macs(call: _Call, macs: Mapping[str, int]) -> int:
    return macs.get(call.name, 0) - _inner_macs(call.module, call.name, macs)


def _inner_macs(module: nn.Module, name: str, macs: Mapping[str, int]) -> int:
    total = 0
    for part, child in module.named_children():
        inner = f"{name}.{part}" if name else part
        # a ModuleList is never called itself, so it has no count of its own
        total += macs[inner] if inner in macs else _inner_macs(child, inner, macs)
    return total


def _volume(shape: Shape) -> int:
    volume = 1
    for side in shape:
        volume *= side
    return volume
