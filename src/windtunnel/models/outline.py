"""A network's block diagram as data, read off one pass over torch's meta device.

A module that adds its input to its output says so by a class attribute ``skip``; ``Branch`` is known to run its
children side by side. Any other module, timm's and own ones too, is a chain of what it calls.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from windtunnel.core.outline import Outline, Role
from windtunnel.models.blocks.combine import Branch, Chain
from windtunnel.models.blocks.conv import ConvNormAct
from windtunnel.models.blocks.conv_group import ConvGroup
from windtunnel.models.blocks.heads import GlobalPool, Head
from windtunnel.models.blocks.stochastic_depth import StochasticDepth
from windtunnel.models.shapes import Shape, in_mode, infer_shape
from windtunnel.models.zoo.densenet import Transition

_SIDE_PATHS = ("shortcut", "downsample")
_JOINS: Mapping[str | None, Literal["none", "add", "append"]] = {
    None: "none",
    "add": "add",
    "add_then_activate": "add",
    "append": "append",
}
# Modules whose own box would say nothing more than what they hold.
_PLAIN = (nn.Sequential, Chain, ConvNormAct, Head, Transition)
_PERIODS = (2, 3, 4)  # lengths of rows that are looked for
_NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh)


@dataclass
class _Call:
    name: str
    module: nn.Module
    in_shape: Shape = ()
    out_shape: Shape = ()
    inner: list["_Call"] = field(default_factory=list)


def outline(module: nn.Module, in_shape: Shape) -> Outline:
    """Return the block diagram of ``module`` for images of ``in_shape``, equal neighbours folded into one.

    Raises:
        ModelError: the network does not take such images.

    """
    root = _call_tree(module, in_shape)
    return dataclasses.replace(_box(root), label=type(module).__name__)


def _call_tree(module: nn.Module, in_shape: Shape) -> _Call:
    names = {part: name for name, part in module.named_modules()}
    stack = [_Call("", nn.Identity())]

    def enter(part: nn.Module, inputs: tuple[Any, ...]) -> None:
        given = next((value for value in inputs if isinstance(value, Tensor)), None)
        call = _Call(names[part].rpartition(".")[2], part)
        call.in_shape = () if given is None else tuple(given.shape[1:])
        stack.append(call)

    def leave(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        call = stack.pop()
        call.out_shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
        stack[-1].inner.append(call)

    handles = [part.register_forward_pre_hook(enter) for part in names]
    handles += [part.register_forward_hook(leave) for part in names]
    try:
        with in_mode(module, training=False), torch.no_grad():
            infer_shape(module, in_shape)
    finally:
        for handle in handles:
            handle.remove()
    return stack[0].inner[0]


def _box(call: _Call) -> Outline:
    module = call.module
    if isinstance(module, Branch):
        return _parallel_box(call, module)
    if not call.inner:
        return Outline(_describe(module), _role(module), call.in_shape, call.out_shape)
    skip = _skip(module)
    side = [inner for inner in call.inner if inner.name in _SIDE_PATHS] if skip else []
    body = [inner for inner in call.inner if inner not in side]
    after = _describe(body.pop().module) if skip == "add_then_activate" else ""
    note = module.note if isinstance(module, ConvGroup) else ""
    return Outline(
        label=_describe(module) + (f" ({note})" if note else ""),
        role="other",
        in_shape=call.in_shape,
        out_shape=call.out_shape,
        children=_chain(body),
        side=_chain(side),
        joined=_JOINS[skip],
        after=after,
    )


def _skip(module: nn.Module) -> str | None:
    skip = getattr(module, "skip", None)
    return skip if isinstance(skip, str) and skip in _JOINS else None  # people's own networks have layers of that name


def _parallel_box(call: _Call, module: Branch) -> Outline:
    branches, norms = call.inner[: len(module.branches)], call.inner[len(module.branches) :]
    steps = [_chain([branch, *norms[index : index + 1]]) for index, branch in enumerate(branches)]
    paths = [Outline("", "other", path[0].in_shape, path[-1].out_shape, path) for path in steps]
    label = f"{module.combine} of {len(paths)} branches"
    return Outline(label, "other", call.in_shape, call.out_shape, _fold(paths), joined=module.combine)


def _chain(calls: Sequence[_Call]) -> tuple[Outline, ...]:
    """Return the boxes of calls in a row: containers opened, norms and activations put to what they follow."""
    boxes: list[Outline] = []
    for call in calls:
        if isinstance(call.module, nn.Identity):
            continue
        box = _box(call)
        opened = box.children if _is_plain(call.module) and box.children else (box,)
        for each in opened:
            if boxes and not each.children and _is_light(each) and not boxes[-1].children:
                last = boxes[-1]
                label = f"{last.label} · {each.label}"
                boxes[-1] = dataclasses.replace(last, label=label, out_shape=each.out_shape)
            else:
                boxes.append(each)
    return _fold(boxes)


def _fold(boxes: Sequence[Outline]) -> tuple[Outline, ...]:
    folded: list[Outline] = []
    for box in boxes:
        if folded and _same(folded[-1], box):
            repeat = folded[-1].repeat + box.repeat
            folded[-1] = dataclasses.replace(folded[-1], repeat=repeat, out_shape=box.out_shape)
        else:
            folded.append(box)
    return _fold_rows(folded)


def _fold_rows(boxes: Sequence[Outline]) -> tuple[Outline, ...]:
    """Return the boxes with every row of a few different ones that repeats put into one."""
    folded: list[Outline] = []
    start = 0
    while start < len(boxes):
        period = next((period for period in _PERIODS if _repeats(boxes[start:], period) > 1), 1)
        times = _repeats(boxes[start:], period) if period > 1 else 1
        row = tuple(boxes[start : start + period])
        whole = Outline("block", "other", row[0].in_shape, row[-1].out_shape, row, repeat=times)
        folded.append(whole if times > 1 else row[0])
        start += period * times
    return tuple(folded)


def _repeats(boxes: Sequence[Outline], period: int) -> int:
    times = 1
    while len(boxes) >= (times + 1) * period and boxes[:period] == boxes[times * period : (times + 1) * period]:
        times += 1
    return times


def _same(one: Outline, other: Outline) -> bool:
    if one.joined == "append" == other.joined:  # dense layers differ only by the channels they meet
        return one.label == other.label
    return dataclasses.replace(one, repeat=other.repeat) == other


def _is_plain(module: nn.Module) -> bool:
    return type(module) in _PLAIN


def _is_light(box: Outline) -> bool:
    return box.role == "norm" or box.label.startswith(("max pool", "dropout", "stochastic"))


def _role(module: nn.Module) -> Role:
    if isinstance(module, nn.Conv2d):
        return "conv"
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d | GlobalPool | nn.Flatten):
        return "pool"
    if isinstance(module, (*_NORMS, *_ACTIVATIONS)):
        return "norm"
    return "attention" if "ttention" in type(module).__name__ else "other"


def _describe(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        return _describe_conv(module)
    if isinstance(module, nn.Linear):
        return f"linear {module.out_features}"
    if isinstance(module, GlobalPool):
        return f"global {module.kind}"
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return f"{'max' if isinstance(module, nn.MaxPool2d) else 'mean'} pool {module.kernel_size}"
    if isinstance(module, StochasticDepth):
        return "stochastic depth"
    if isinstance(module, nn.Dropout):
        return f"dropout {module.p:g}"
    if isinstance(module, nn.LayerNorm):
        return "layer norm"
    if isinstance(module, nn.BatchNorm2d):
        return "norm"
    if isinstance(module, (*_ACTIVATIONS, nn.Flatten)):
        return type(module).__name__.lower()
    return type(module).__name__


def _describe_conv(module: nn.Conv2d) -> str:
    text = f"conv {module.kernel_size[0]}x{module.kernel_size[1]}, {module.out_channels}"
    if module.stride[0] > 1:
        text += f" /{module.stride[0]}"
    return text + (f", {module.groups} groups" if module.groups > 1 else "")
