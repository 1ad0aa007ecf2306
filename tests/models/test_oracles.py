"""Networks beside public ones of the same architecture: equal counts, and equal outputs for equal weights."""

import pytest
import torch

from models.peers import load_pytorchcv, load_timm, load_torchvision_models
from windtunnel.config.models.modern import Convnext, DensenetBc
from windtunnel.config.models.resnet import CifarResnet, PreactResnet, Resnet18, Resnext, WideResnet


def build(config, *, classes=10, size=32):
    torch.manual_seed(0)
    return config.build(num_classes=classes, in_channels=3, image_size=(size, size))


def randomise(network):
    """Give norms statistics and scales that are not the initial ones."""
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(
                torch.rand_like(value) * 0.5 + 0.1 if key.endswith("var") else value + 0.1 * torch.randn_like(value)
            )
    return network.eval()


@pytest.mark.parametrize("size", [32, 45])
def test_resnet18_has_torchvisions_keys_and_outputs(size):
    peer = randomise(load_torchvision_models().resnet18(num_classes=10))
    network = build(Resnet18())
    network.load_state_dict(peer.state_dict())
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images), peer(images), atol=1e-4, rtol=1e-4)
    assert sum(p.numel() for p in build(Resnet18(), classes=1000).parameters()) == 11_689_512


@pytest.mark.parametrize(
    ("config", "peer_name"),
    [
        (WideResnet(depth=16, factor=10), "wrn16_10_cifar10"),
        (WideResnet(depth=28, factor=10), "wrn28_10_cifar10"),
        (CifarResnet(depth=20, shortcut="project"), "resnet20_cifar10"),
        (CifarResnet(depth=56, shortcut="project"), "resnet56_cifar10"),
        (Resnext(cardinality=32, group_width=4), "resnext29_32x4d_cifar10"),
        (Resnext(cardinality=16, group_width=64), "resnext29_16x64d_cifar10"),
        (DensenetBc(depth=100), "densenet100_k12_bc_cifar10"),
        (DensenetBc(depth=40), "densenet40_k12_bc_cifar10"),
        (PreactResnet(stem=16, depths=(3, 3, 3), widths=(16, 32, 64)), "preresnet20_cifar10"),
    ],
)
def test_parameter_counts_are_pytorchcvs(config, peer_name):
    provider = load_pytorchcv()
    with torch.device("meta"):
        count = sum(part.numel() for part in build(config).parameters())
        peer = provider.get_model(peer_name, pretrained=False)
    assert count == sum(part.numel() for part in peer.parameters())


@pytest.mark.parametrize(
    ("config", "peer_name"),
    [
        (PreactResnet(stem=16, depths=(3, 3, 3), widths=(16, 32, 64)), "preresnet20_cifar10"),
        (DensenetBc(depth=40), "densenet40_k12_bc_cifar10"),
    ],
)
def test_outputs_are_pytorchcvs(config, peer_name):
    peer = randomise(load_pytorchcv().get_model(peer_name, pretrained=False))
    network = _by_shape(build(config), peer)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(images), peer(images), atol=1e-4, rtol=1e-4)


def _by_shape(network, peer):
    """Copy weights module by module in the order both networks run them."""
    for mine, theirs in zip(_executed(network), _executed(peer), strict=True):
        mine.load_state_dict(theirs.state_dict())
    return network.eval()


def _executed(network):
    order = []
    kinds = (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.Linear)
    parts = [part for part in network.modules() if isinstance(part, kinds)]
    handles = [part.register_forward_hook(lambda part, *_: order.append(part)) for part in parts]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 32, 32))
    for handle in handles:
        handle.remove()
    return sorted(order, key=lambda part: (type(part).__name__, tuple(part.weight.shape)))


def test_convnext_atto_is_timms():
    peer = randomise(load_timm().create_model("convnext_atto", num_classes=10))
    network = build(Convnext(patch_size=4), size=64)
    renamed = {"gamma": "scale", "conv_dw": "depthwise", "mlp.fc1": "widen", "mlp.fc2": "narrow"}
    theirs = peer.state_dict()
    mine = network.state_dict()
    assert len(mine) == len(theirs)
    blocks = [key for key in theirs if ".blocks." in key]
    first = {key.rsplit(".blocks.")[0] + ".blocks." + key.split(".blocks.")[1].split(".")[0] for key in blocks}
    order = sorted(first, key=lambda key: [int(part) for part in key.split(".") if part.isdigit()])
    places = [str(index) for index, part in enumerate(network.layers) if hasattr(part, "scale")]
    mapped = {}
    for place, prefix in zip(places, order, strict=True):
        for key in (key for key in theirs if key.startswith(prefix + ".")):
            tail = key.removeprefix(prefix + ".")
            for old, new in renamed.items():
                tail = tail.replace(old, new)
            mapped[f"layers.{place}.{tail}"] = theirs[key].reshape(mine[f"layers.{place}.{tail}"].shape)
    halves = [str(index) for index, part in enumerate(network.layers) if not hasattr(part, "scale")]
    for place, stage in zip(halves, (1, 2, 3), strict=True):
        for key in (key for key in theirs if key.startswith(f"stages.{stage}.downsample.")):
            mapped[f"layers.{place}.{key.split('downsample.')[1]}"] = theirs[key]
    mapped |= {key: theirs[key] for key in theirs if key.startswith("stem.")}
    mapped |= {
        f"{part}.{kind}": theirs[f"head.{other}.{kind}"]
        for part, other in (("norm", "norm"), ("head", "fc"))
        for kind in ("weight", "bias")
    }
    network.load_state_dict(mapped)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images), peer(images), atol=1e-4, rtol=1e-4)
