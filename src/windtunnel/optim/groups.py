"""Splitting a model's parameters into groups by name, and freezing groups on time."""

import fnmatch
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from windtunnel.config.optim import ParameterGroup
from windtunnel.errors import ConfigError, Problem

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def group_parameters(
    model: nn.Module,
    groups: Sequence[ParameterGroup],
    *,
    lr: float,
    weight_decay: float,
    only: Callable[[str, nn.Parameter], bool] = lambda name, parameter: True,
) -> list[dict[str, Any]]:
    """Return torch parameter groups: one for each of ``groups`` that has members and one for the rest.

    Each holds ``peak_lr`` (what schedules scale), ``train_epochs`` and ``fades`` beside torch's own keys. Parameters
    that do not require gradients are left out, as are those that ``only`` does not want.

    Raises:
        ConfigError: a pattern matches no trainable parameter, wanted or not.
    """
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    members = _assign(model, list(trainable), groups)
    result = []
    for group, names in zip((*groups, _THE_REST), members, strict=True):
        wanted = [trainable[name] for name in names if only(name, trainable[name])]
        if wanted:
            decay = weight_decay if group.weight_decay is None else group.weight_decay
            result.append(_torch_group(wanted, lr * group.lr_scale, decay, group))
    return result


def set_learning_rates(optimizer: Optimizer, multiplier: float) -> None:
    """Set every group's learning rate to its peak times ``multiplier``; a rate on the device is changed in place."""
    for group in optimizer.param_groups:
        _set_rate(group, group["peak_lr"] * multiplier)


def scale_learning_rates(optimizer: Optimizer, factor: float) -> None:
    """Multiply every group's peak learning rate by ``factor``."""
    for group in optimizer.param_groups:
        group["peak_lr"] *= factor
        group["lr"] = group["peak_lr"]


def put_rates_on_device(optimizer: Optimizer, device: torch.device) -> None:
    """Make every group's learning rate a tensor, so that a recorded update reads it anew each time it is replayed."""
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(group["peak_lr"], device=device)
        if "capturable" in group:
            group["capturable"] = device.type == "cuda"


def freeze_groups(optimizer: Optimizer, epochs_done: float) -> None:
    """Stop the gradients of groups whose ``train_epochs`` are over; a later step skips them.

    Groups that fade get their rate here, after ``set_learning_rates``, whose rate they do not follow.
    """
    for group in optimizer.param_groups:
        if group["train_epochs"] is None:
            continue
        trains = epochs_done < group["train_epochs"]
        for parameter in group["params"]:
            parameter.requires_grad_(trains)
        if group.get("fades"):  # runs from before groups could fade have no such key in their checkpoints
            _set_rate(group, group["peak_lr"] * max(0.0, 1 - epochs_done / group["train_epochs"]))


def training_groups(optimizer: Optimizer) -> tuple[bool, ...]:
    """Return which groups train now."""
    return tuple(any(parameter.requires_grad for parameter in group["params"]) for group in optimizer.param_groups)


_THE_REST = ParameterGroup(match="*")


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _assign(model: nn.Module, names: list[str], groups: Sequence[ParameterGroup]) -> list[list[str]]:
    """Return the names of each group, first match first, and of the rest."""
    norm_names = _names_of_norms(model)
    left, members = list(names), []
    for position, group in enumerate(groups):
        chosen = [name for name in left if _matches(name, group.match, norm_names)]
        if not chosen:
            raise ConfigError("experiment", [_no_match(position, group, left)])
        members.append(chosen)
        left = [name for name in left if name not in chosen]
    return [*members, left]


def _torch_group(parameters: list[nn.Parameter], lr: float, decay: float, group: ParameterGroup) -> dict[str, Any]:
    """Return torch's own keys and ours: whatever is kept here is in the checkpoint, too."""
    ours = {"peak_lr": lr, "train_epochs": group.train_epochs, "fades": group.fades}
    return {"params": parameters, "lr": lr, "weight_decay": decay, **ours}


def _names_of_norms(model: nn.Module) -> set[str]:
    return {
        f"{module_name}.{name}" if module_name else name
        for module_name, module in model.named_modules()
        if isinstance(module, _NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }


def _matches(name: str, pattern: str, norm_names: set[str]) -> bool:
    if pattern == "@norm":
        return name in norm_names
    if pattern == "@bias":
        return name.rpartition(".")[2] == "bias"
    return fnmatch.fnmatchcase(name, pattern)


def _no_match(position: int, group: ParameterGroup, names: list[str]) -> Problem:
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    message = f"matches no trainable parameter that is left; there are {shown}"
    return Problem(f"optim.groups.{position}.match", message, repr(group.match))
