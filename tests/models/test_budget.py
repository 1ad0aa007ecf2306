"""Limits on parameters, multiply-adds, memory and latency."""

import pytest

from windtunnel.config.budget import BudgetConfig
from windtunnel.config.models.classic import Cnn
from windtunnel.config.models.slim_resnet import SlimResnet
from windtunnel.errors import ModelError
from windtunnel.models.budget import check_budget, find_excess, latency_ms, training_memory_mib
from windtunnel.models.summary import summarise

SHAPE = (3, 32, 32)


@pytest.fixture(scope="module")
def slim():
    return SlimResnet().build(num_classes=10, in_channels=3, image_size=(32, 32))


@pytest.fixture(scope="module")
def small():
    return Cnn(widths=(4, 4)).build(num_classes=10, in_channels=3, image_size=(32, 32))


def test_a_network_within_its_budget_passes(slim):
    check_budget(BudgetConfig(parameters=4_754_218, macs=271_419_904), slim, input_shape=SHAPE, batch_size=8)
    check_budget(BudgetConfig(), slim, input_shape=SHAPE, batch_size=8)


def test_every_broken_limit_is_named_with_figures_and_the_largest_layers(slim):
    with pytest.raises(ModelError) as raised:
        budget = BudgetConfig(parameters=4_000_000, macs=200_000_000)
        check_budget(budget, slim, input_shape=SHAPE, batch_size=8)
    said = str(raised.value)
    assert "budget.parameters: 4,754,218 exceeds 4,000,000 by 18.9%" in said
    assert "stages.3.0.conv2 (589,824)" in said
    assert "budget.macs: " in said
    assert raised.value.exit_code == 2


def test_memory_grows_with_the_batch(small):
    budget = BudgetConfig(memory_mib=3)
    assert find_excess(budget, small, input_shape=SHAPE, batch_size=2) == ()
    (excess,) = find_excess(budget, small, input_shape=SHAPE, batch_size=64)
    assert excess.limit == "memory_mib" and excess.measured > 3 and "4x32x32" in excess.largest[0]


def test_training_memory_is_weights_gradients_momentum_and_activations(small):
    summary = summarise(small, in_shape=SHAPE, batch_size=16)
    expected = 3 * summary.parameters * 4 / 2**20 + summary.activations_mib
    assert training_memory_mib(summary) == pytest.approx(expected)


def test_latency_is_measured(small):
    assert latency_ms(small, SHAPE) > 0
    (excess,) = find_excess(BudgetConfig(latency_ms=1e-6), small, input_shape=SHAPE, batch_size=2)
    assert excess.limit == "latency_ms"
    assert small.training
