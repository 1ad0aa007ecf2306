"""Every optimizer of the union: it falls, it keeps its promises about groups and state, it stops when frozen."""

import copy
from typing import get_args

import pytest
import torch
from torch import nn

from windtunnel.config.base import component_name
from windtunnel.config.optim import OptimConfig, ParameterGroup

OPTIMIZERS = {component_name(cls): cls for cls in get_args(get_args(OptimConfig)[0])}


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 3))


def loss_of(model: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(64, 6, generator=generator)
    return (model(inputs) - inputs[:, :3]).square().mean()


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> float:
    for _ in range(count):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
    return loss_of(model).item()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_loss_falls(name: str, model: nn.Module) -> None:
    before = loss_of(model).item()
    assert steps(model, OPTIMIZERS[name](lr=0.01).build(model=model), 50) < 0.9 * before


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_saved_state_continues_to_the_same_weights(name: str, model: nn.Module) -> None:
    optimizer = OPTIMIZERS[name](lr=0.01).build(model=model)
    steps(model, optimizer, 3)
    other = copy.deepcopy(model)
    resumed = OPTIMIZERS[name](lr=0.01).build(model=other)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert steps(model, optimizer, 3) == steps(other, resumed, 3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_group_with_rate_zero_stays(name: str, model: nn.Module) -> None:
    groups = (ParameterGroup(match="0.*", lr_scale=0.0),)
    before = model[0].bias.detach().clone()
    steps(
        model,
        OPTIMIZERS[name](lr=0.01, groups=groups, **({"renormalize": False} if name == "muon" else {})).build(
            model=model
        ),
        3,
    )
    assert torch.equal(model[0].bias, before)
    assert not torch.equal(model[2].bias, torch.zeros(3))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_update_equals_torchs_own(name: str, model: nn.Module) -> None:
    other = copy.deepcopy(model)
    config = OPTIMIZERS[name](lr=0.01, weight_decay=0.1)
    theirs = {
        "sgd": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
        "adam": lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1),
        "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
        "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01, weight_decay=0.1),
    }[name]
    assert steps(model, config.build(model=model), 5) == pytest.approx(
        steps(other, theirs(other.parameters()), 5), rel=1e-4
    )
