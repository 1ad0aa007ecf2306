from collections import OrderedDict

import pytest
import torch
from torch import nn

from windtunnel.config.optim import ParameterGroup, Sgd
from windtunnel.errors import ConfigError
from windtunnel.optim.groups import freeze_groups, group_parameters, set_learning_rates


@pytest.fixture
def model() -> nn.Module:
    return nn.Sequential(
        OrderedDict(stem=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), flat=nn.Flatten(), head=nn.Linear(16, 2))
    )


def sizes(groups: list[dict]) -> list[int]:
    return [len(group["params"]) for group in groups]


def test_first_matching_group_takes_a_parameter(model: nn.Module) -> None:
    groups = [ParameterGroup(match="@norm"), ParameterGroup(match="@bias")]
    assert sizes(group_parameters(model, groups, lr=1.0, weight_decay=0.0)) == [2, 2, 2]


def test_scale_decay_and_default_reach_torch(model: nn.Module) -> None:
    groups = [ParameterGroup(match="head.*", lr_scale=0.5, weight_decay=0.0)]
    head, rest = group_parameters(model, groups, lr=0.2, weight_decay=0.1)
    assert (head["lr"], head["weight_decay"]) == (0.1, 0.0)
    assert (rest["lr"], rest["weight_decay"]) == (0.2, 0.1)


def test_pattern_without_a_match_is_an_error_that_lists_names(model: nn.Module) -> None:
    with pytest.raises(ConfigError, match=r"optim\.groups\.0\.match.*stem\.weight"):
        group_parameters(model, [ParameterGroup(match="whiten.*")], lr=1.0, weight_decay=0.0)


def test_frozen_parameters_are_left_out(model: nn.Module) -> None:
    model.stem.weight.requires_grad_(False)
    assert sum(sizes(group_parameters(model, [], lr=1.0, weight_decay=0.0))) == 5


def test_rates_and_freezing_follow_the_plan(model: nn.Module) -> None:
    config = Sgd(lr=0.1, groups=(ParameterGroup(match="head.*", lr_scale=2.0, train_epochs=1.5),))
    optimizer = config.build(model=model)
    set_learning_rates(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1, 0.05])
    freeze_groups(optimizer, 1.4)
    assert model.head.weight.requires_grad
    freeze_groups(optimizer, 1.5)
    assert not model.head.weight.requires_grad
    assert model.stem.weight.requires_grad


def test_sgd_state_round_trips(model: nn.Module) -> None:
    optimizer = Sgd().build(model=model)
    model(torch.randn(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    other = Sgd().build(model=model)
    other.load_state_dict(optimizer.state_dict())
    buffers = [[state["momentum_buffer"] for state in o.state.values()] for o in (optimizer, other)]
    assert all(torch.equal(a, b) for a, b in zip(*buffers, strict=True))


def test_a_fading_group_falls_to_zero_in_a_line_of_its_own(model: nn.Module) -> None:
    config = Sgd(lr=0.1, groups=(ParameterGroup(match="head.*", train_epochs=2.0, fades=True),))
    optimizer = config.build(model=model)
    rates = []
    for epochs in (0.0, 0.5, 1.5, 2.0):
        set_learning_rates(optimizer, 0.7)
        freeze_groups(optimizer, epochs)
        rates.append([group["lr"] for group in optimizer.param_groups])
    assert [pytest.approx(pair) for pair in ([0.1, 0.07], [0.075, 0.07], [0.025, 0.07], [0.0, 0.07])] == rates


def test_fading_needs_an_end() -> None:
    with pytest.raises(ValueError, match="train_epochs above 0"):
        ParameterGroup(match="*", fades=True)
