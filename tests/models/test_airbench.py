"""The airbench net beside a second writing of its public description."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from windtunnel.config.models.airbench import AIRBENCH_PRESETS, Airbench
from windtunnel.errors import ModelError
from windtunnel.models.blocks import whiten
from windtunnel.models.blocks.conv_group import DiracConv
from windtunnel.models.blocks.whiten import WhiteningStem


def build(preset: str, **context: object) -> torch.nn.Module:
    fields = {"num_classes": 10, "in_channels": 3, "image_size": (32, 32), **context}
    return Airbench(**AIRBENCH_PRESETS[preset]).build(**fields)


def described_logits(state: dict[str, Tensor], images: Tensor, *, depth: int) -> Tensor:
    """Functional airbench in training mode, from SPEED.md-style prose: names are the state's keys."""

    def norm(x: Tensor, key: str) -> Tensor:
        return F.batch_norm(x, None, None, bias=state[f"{key}.bias"], training=True, eps=1e-12)

    def conv(x: Tensor, key: str) -> Tensor:
        return F.conv2d(x, state[f"{key}.weight"], padding=1)

    x = F.gelu(F.conv2d(images, state["whiten.weight"], state["whiten.bias"]))
    for index in range(3):
        group = f"groups.{index}"
        x = F.gelu(norm(F.max_pool2d(conv(x, f"{group}.conv1"), 2), f"{group}.norm1"))
        first = x
        x = F.gelu(norm(conv(x, f"{group}.conv2"), f"{group}.norm2"))
        if depth == 3:
            x = F.gelu(norm(conv(x, f"{group}.conv3"), f"{group}.norm3") + first)
    return F.linear(F.max_pool2d(x, 3).flatten(1), state["head.weight"]) / 9


@pytest.mark.parametrize(("preset", "depth"), [("airbench94", 2), ("airbench96", 3)])
def test_forward_equals_the_public_description(preset: str, depth: int) -> None:
    torch.manual_seed(0)
    net = build(preset, num_classes=7)
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(net(images), described_logits(dict(net.state_dict()), images, depth=depth))


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("airbench93", 569_656),
        ("airbench94", 1_972_792),
        ("airbench95", 4_606_520),
        ("airbench96", 9_918_776),
    ],
)
def test_parameter_counts(preset: str, count: int) -> None:
    # whitening 24*3*4 + 24, 9*c_in*c_out a convolution, 2*c a norm (its frozen scale counts), 10*c the head
    assert sum(parameter.numel() for parameter in build(preset).parameters()) == count


def test_only_what_airbench_trains_is_trained() -> None:
    frozen = {name for name, parameter in build("airbench94").named_parameters() if not parameter.requires_grad}
    norms = {f"groups.{group}.norm{norm}.weight" for group in range(3) for norm in (1, 2)}
    assert frozen == norms | {"whiten.weight"}


def test_residual_adds_the_pooled_input_before_the_last_activation() -> None:
    torch.manual_seed(0)
    group = build("airbench94_residual").groups[0].eval()
    images = torch.randn(2, 24, 31, 31)
    path = group.norm2(group.conv2(F.gelu(group.norm1(F.max_pool2d(group.conv1(images), 2)))))
    side = F.conv2d(F.max_pool2d(images, 2), group.downsample[1].weight)
    torch.testing.assert_close(group(images), F.gelu(path + side))


@pytest.mark.parametrize(("in_channels", "out_channels"), [(3, 8), (8, 8), (8, 3)])
def test_dirac_init_passes_the_input_through(in_channels: int, out_channels: int) -> None:
    conv = DiracConv(in_channels, out_channels)
    images = torch.randn(2, in_channels, 5, 5)
    passed = min(in_channels, out_channels)
    torch.testing.assert_close(conv(images)[:, :passed], images[:, :passed])


def test_dirac_init_leaves_the_rest_at_the_default() -> None:
    torch.manual_seed(3)
    conv = DiracConv(2, 6)
    torch.manual_seed(3)
    default = torch.nn.Conv2d(2, 6, 3, bias=False)
    assert torch.equal(conv.weight[2:], default.weight[2:])


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_are_uncorrelated(channels: int) -> None:
    torch.manual_seed(0)
    mixing = torch.randn(channels, channels)
    images = torch.einsum("nchw,dc->ndhw", torch.randn(200, channels, 12, 12), mixing)
    images = F.avg_pool2d(images, 3, stride=1)  # neighbouring pixels correlate
    stem = WhiteningStem(in_channels=channels, epsilon=0.0)
    stem.initialise_from(images)
    with torch.no_grad():
        out = F.conv2d(images, stem.weight)
    half = 4 * channels
    flat = out[:, :half].permute(1, 0, 2, 3).reshape(half, -1)
    torch.testing.assert_close(flat @ flat.T / flat.shape[1], torch.eye(half), atol=1e-3, rtol=0)
    assert torch.equal(out[:, half:], -out[:, :half])


def test_whitening_refuses_other_channels() -> None:
    with pytest.raises(ModelError, match="built for 3 channels; the images have 1"):
        build("airbench94").initialise_from(torch.zeros(2, 1, 32, 32))


def test_other_sizes_and_grey_images() -> None:
    net = build("airbench94", in_channels=1, image_size=(28, 28))
    assert net.whiten.weight.shape == (8, 1, 2, 2)
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 10)
    assert net(torch.randn(2, 1, 20, 24)).shape == (2, 10)


def test_too_small_images_are_refused() -> None:
    with pytest.raises(ModelError, match="at least 9x9"):
        build("airbench94", image_size=(8, 8))


def test_half_weights_with_float32_norms() -> None:
    net = build("airbench93").half()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.float()
    logits = net(torch.randn(4, 3, 32, 32).half())
    logits.float().square().sum().backward()
    assert logits.dtype == torch.float16
    assert net.groups[0].norm1.bias.grad.dtype == torch.float32


def test_whitening_filters_of_many_patches_are_found_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(50, 3, 9, 7, generator=torch.Generator().manual_seed(0)) - 0.5
    images = images.cumsum(3)  # directions that differ in size, so that the order of filters is certain
    whole = whiten.whitening_filters(images, size=2, epsilon=5e-4)
    monkeypatch.setattr(whiten, "_MOST_FLOATS", 7 * 8 * 6 * 12)  # seven images at a time
    parts = whiten.whitening_filters(images, size=2, epsilon=5e-4)
    signs = (whole * parts).sum((1, 2, 3), keepdim=True).sign()
    torch.testing.assert_close(parts * signs, whole, rtol=1e-3, atol=1e-4)
