"""Summaries: S4's printed figures, S0's closed forms, and what autograd really keeps."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from windtunnel.config.models import ModelConfig
from windtunnel.config.models.blocks import Sequential
from windtunnel.errors import ModelError
from windtunnel.models.blocks.residual import Bottleneck, DoubleEncode
from windtunnel.models.summary import activation_bytes, count_macs, summarise
from windtunnel.report.deb_flops import REDUCTIONS, bottleneck_cost, compute_grid, double_encode_cost
from windtunnel.training.precision import Precision

CHANNELS, SIDE = 256, 6
BRANCHED = {
    "name": "sequential",
    "blocks": [
        {"name": "conv", "out_channels": 8},
        {"name": "branch", "branches": ["residual", ["bottleneck", "residual"]], "normalize": True},
        {"name": "head", "hidden": 5},
    ],
}


def build(name, size=32, channels=3):
    config = TypeAdapter(ModelConfig).validate_python(name)
    return config.build(num_classes=10, in_channels=channels, image_size=(size, size))


def test_slim_resnet_prints_the_table_of_s4():
    summary = summarise(build("slim_resnet"), in_shape=(3, 32, 32))
    labels = [layer.label for layer in summary.layers]
    assert labels[:7] == [
        "Conv2d-1",
        "BatchNorm2d-2",
        "Conv2d-3",
        "BatchNorm2d-4",
        "Conv2d-5",
        "BatchNorm2d-6",
        "BasicBlock-7",
    ]
    assert [layer.parameters for layer in summary.layers[:7]] == [864, 64, 9216, 64, 9216, 64, 0]
    assert (labels[-1], summary.layers[-1].parameters) == ("Linear-85", 2570)
    sizes = (summary.input_mib, summary.forward_backward_mib, summary.parameters_mib, summary.total_mib)
    assert [f"{size:.2f}" for size in sizes] == ["0.01", "10.16", "18.14", "28.31"]


def test_s3_and_s4_have_their_reports_parameters_exactly():
    assert summarise(build("improved_resnet"), in_shape=(3, 32, 32)).parameters == 4_903_082
    assert summarise(build("slim_resnet"), in_shape=(3, 32, 32)).parameters == 4_754_218


@pytest.mark.parametrize("depth", [None, 1, 2])
@pytest.mark.parametrize("name", ["airbench96", BRANCHED, "cct_2_3x2", "convnext_atto", "densenet_bc_40_12"])
def test_layers_add_up_to_the_totals(name, depth):
    summary = summarise(build(name, size=16), in_shape=(3, 16, 16), batch_size=2, depth=depth)
    assert sum(layer.parameters for layer in summary.layers) == summary.parameters
    assert sum(layer.macs for layer in summary.layers) == summary.macs
    assert summary.flops == 2 * summary.macs


@pytest.mark.parametrize("cost", compute_grid(), ids=lambda cost: f"{cost.first}-{cost.second}")
def test_double_encode_costs_its_closed_form(cost):
    with torch.device("meta"):
        block = DoubleEncode(in_channels=CHANNELS, first=cost.first, second=cost.second, activation="relu")
    macs = count_macs(block, (CHANNELS, SIDE, SIDE))[""]
    assert macs == double_encode_cost(cost.first, cost.second) * SIDE**2 * CHANNELS**2


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_bottleneck_costs_its_closed_form(reduction):
    with torch.device("meta"):
        block = Bottleneck(in_channels=CHANNELS, reduction=reduction, activation="relu")
    macs = count_macs(block, (CHANNELS, SIDE, SIDE))[""]
    assert macs == bottleneck_cost(reduction) * SIDE**2 * CHANNELS**2


@pytest.mark.parametrize(
    "name", ["slim_resnet", "airbench96", "cct_2_3x2", "convnext_atto", "densenet_bc_40_12", "lenet"]
)
def test_activation_memory_is_what_autograd_keeps(name):
    network = build(name, size=16).train()
    assert activation_bytes(network, (3, 16, 16), batch_size=4) == kept_bytes(network, torch.randn(4, 3, 16, 16))


def kept_bytes(network, images):
    fixed = {part.untyped_storage().data_ptr() for part in [*network.parameters(), *network.buffers()]}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in fixed:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(images)
    assert output.requires_grad
    return sum(size for size, _ in kept.values())


def test_a_summary_leaves_the_network_as_it_was():
    network = build("airbench94", size=16)
    network.groups[0].norm1.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    summarise(network, in_shape=(3, 16, 16), batch_size=2)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert network.training and not network.groups[0].norm1.training
    assert not network._forward_hooks and not network.whiten._forward_hooks


def test_other_sizes_and_classes():
    config = Sequential(blocks=({"name": "conv", "out_channels": 4}, {"name": "head"}))
    network = config.build(num_classes=3, in_channels=1, image_size=(9, 7))
    summary = summarise(network, in_shape=(1, 9, 7), batch_size=2)
    assert summary.macs == 9 * 7 * 9 * 4 + 4 * 3
    assert summary.layers[-1].out_shape == (3,)


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(ModelError, match="Mlp does not take images of 3x16x16"):
        summarise(build("mlp", size=32), in_shape=(3, 16, 16))


def test_a_single_image_keeps_what_one_more_image_adds():
    kept = [activation_bytes(build("lenet"), (3, 32, 32), batch_size=size) for size in (1, 2, 3)]
    assert kept[0] == kept[2] - kept[1] == kept[1] - kept[0]


def test_costs_do_not_depend_on_the_format_of_the_weights():
    network = build("airbench94", size=16)
    plain = summarise(network, in_shape=(3, 16, 16), batch_size=2)
    converted = Precision(torch.device("cpu"), torch.bfloat16, weights_too=True).convert(network)
    assert converted.whiten.weight.dtype is torch.bfloat16
    assert summarise(converted, in_shape=(3, 16, 16), batch_size=2) == plain


class _Demanding(nn.Module):
    def __init__(self, demand):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.demand = demand

    def forward(self, images):
        self.demand(images)
        return images.mean((2, 3)) * self.weight


def _wants_grey(images):
    assert images.shape[1] == 1


def _wants_a_batch_of_one(images):
    if images.shape[0] > 2:
        raise ValueError


@pytest.mark.parametrize(
    ("demand", "said"),
    [
        (_wants_grey, "AssertionError|assert"),
        (_wants_a_batch_of_one, "ValueError"),
        (lambda images: images(), "callable"),
    ],
)
def test_a_network_of_ones_own_is_refused_by_what_it_says(demand, said):
    with pytest.raises(ModelError, match=f"_Demanding does not take images of 3x8x8: .*({said})"):
        summarise(_Demanding(demand), in_shape=(3, 8, 8))
