"""Small facts about single blocks."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from windtunnel.config.experiment import Experiment
from windtunnel.config.models import ModelConfig
from windtunnel.config.problems import validate_tree
from windtunnel.errors import ModelError, UsageError
from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.residual import PadShortcut, PreActResidual
from windtunnel.models.blocks.stochastic_depth import StochasticDepth
from windtunnel.models.zoo.compact_transformer import SelfAttention


def test_an_unknown_activation_names_the_near_one():
    with pytest.raises(ModelError, match="no activation 'gleu'; did you mean 'gelu'"):
        build_activation("gleu")


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "gelu", "silu", "tanh", "identity"])
def test_activations_give_equal_gradients_in_place_or_not(name):
    values = torch.randn(50)
    gradients = []
    for inplace in (False, True):
        start = values.clone().requires_grad_()
        build_activation(name, inplace=inplace)(start * 1.0).square().sum().backward()
        gradients.append(start.grad)
    torch.testing.assert_close(*gradients)


def test_pad_shortcut_thins_and_pads_both_sides():
    images = torch.randn(2, 4, 5, 5)
    out = PadShortcut(4, 8, stride=2)(images)
    assert out.shape == (2, 8, 3, 3)
    torch.testing.assert_close(out[:, 2:6], images[:, :, ::2, ::2])
    assert not out[:, :2].any() and not out[:, 6:].any()


def test_preactivation_keeps_its_input_untouched():
    block = PreActResidual(in_channels=4, out_channels=4, stride=1, activation="relu", dropout=0.0)
    images = torch.randn(2, 4, 5, 5)
    kept = images.clone()
    block(images)
    assert torch.equal(images, kept)


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    layer = StochasticDepth(0.25)
    out = layer(torch.ones(4000, 3, 2))
    assert out.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert all(len(sample.unique()) == 1 for sample in out[:50])
    assert out.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(layer.eval()(torch.ones(2, 3)), torch.ones(2, 3))


def test_attention_is_torchs():
    torch.manual_seed(0)
    mine = SelfAttention(dim=12, heads=3).eval()
    peer = nn.MultiheadAttention(12, 3, bias=True, batch_first=True).eval()
    with torch.no_grad():
        peer.in_proj_weight.copy_(mine.qkv.weight)
        peer.in_proj_bias.zero_()
        peer.out_proj.weight.copy_(mine.out.weight)
        peer.out_proj.bias.copy_(mine.out.bias)
    tokens = torch.randn(2, 5, 12)
    torch.testing.assert_close(mine(tokens), peer(tokens, tokens, tokens)[0])


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ModelError, match="5 heads do not divide a width of 12"):
        SelfAttention(dim=12, heads=5)


@pytest.mark.parametrize(
    "name", ["cnn", "slim_resnet", "resnet20", "preact_resnet18", "densenet_bc_40_12", "mlp", "lenet"]
)
def test_odd_and_oblong_images(name):
    config = TypeAdapter(ModelConfig).validate_python(name)
    network = config.build(num_classes=4, in_channels=3, image_size=(17, 23)).eval()
    assert network(torch.randn(1, 3, 17, 23)).shape == (1, 4)


@pytest.mark.parametrize(
    ("model", "size", "said"),
    [
        ("lenet", 8, "at least 12x12"),
        ("airbench94", 8, "at least 9x9"),
        ("densenet_bc", 3, "at least 4x4"),
        ("convnext", 8, "at least 16x16"),
        ("cnn_430k", 3, "at least 4x4"),
        ("vit_lite_7_4", 30, "patches of 4 px do not divide"),
        ({"name": "slim_resnet", "depths": [1, 2]}, 32, "2 depths and 4 widths do not fit"),
        ({"name": "convnext", "depths": [1]}, 32, "1 depths and 4 widths do not fit"),
        ({"name": "compact_transformer", "dim": 4, "heads": 2, "mlp_ratio": 0.2}, 32, "mlp_ratio=0.2 of dim=4"),
        ({"name": "wide_resnet", "depth": 27}, 32, "27 is not 6 n"),
        ({"name": "resnext", "depth": 28}, 32, "28 is not 9 n"),
        ({"name": "cifar_resnet", "depth": 18}, 32, "18 is not 6 n"),
    ],
)
def test_what_cannot_be_built_says_why(model, size, said):
    with pytest.raises(ModelError, match=said) as raised:
        TypeAdapter(ModelConfig).validate_python(model).build(num_classes=4, in_channels=3, image_size=(size, size))
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("model", ["slim_resnet", "improved_resnet", "preact_resnet", "convnext"])
@pytest.mark.parametrize("field", ["depths", "widths"])
def test_a_network_without_stages_is_refused_by_its_field(model, field):
    tree = {"data": {"source": {"name": "digits"}}, "model": {"name": model, field: []}}
    with pytest.raises(UsageError, match=f"model.{field}.*at least 1"):
        validate_tree(Experiment, tree, "mine.yaml")
