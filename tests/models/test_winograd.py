"""The Winograd convolution against torch's in float64, and networks that use it."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

pytest.importorskip("numba")

from windtunnel.models.blocks.whiten import WhiteningStem
from windtunnel.models.summary import activation_bytes
from windtunnel.models.winograd.convolution import winograd_conv2d
from windtunnel.models.winograd.layers import WinogradConv2d, replace_convolutions
from windtunnel.models.winograd.rule import block_images, count_bytes, count_parts, is_worth_it

_WORSE_THAN_DIRECT = 30


def _draw(images, inputs, outputs, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randn(images, inputs, height, width, generator=generator)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) / (3 * inputs**0.5)
    return pictures.contiguous(memory_format=torch.channels_last), weight


def _results(convolve, pictures, weight, padding):
    """Return outputs and both gradients for a fixed gradient of the outputs."""
    pictures, weight = pictures.clone().requires_grad_(), weight.clone().requires_grad_()
    outputs = convolve(pictures, weight, padding=padding)
    gradient = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32)
    return outputs.detach(), *torch.autograd.grad(outputs, (pictures, weight), gradient.to(outputs.dtype))


def _error(result, exact):
    return float((result.double() - exact).norm() / exact.norm())


@settings(max_examples=25, deadline=None)
@given(
    images=st.integers(1, 5),
    inputs=st.sampled_from([8, 16, 24, 40, 64, 72, 104]),
    outputs=st.sampled_from([8, 16, 32, 64, 88, 128]),
    height=st.integers(3, 13),
    width=st.integers(3, 13),
    padding=st.integers(0, 1),
    threads=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_outputs_and_gradients_are_those_of_the_exact_convolution(
    images, inputs, outputs, height, width, padding, threads, seed
):
    pictures, weight = _draw(images, inputs, outputs, height, width, seed)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        ours = _results(winograd_conv2d, pictures, weight, padding)
    finally:
        torch.set_num_threads(before)
    exact = _results(functional.conv2d, pictures.double(), weight.double(), padding)
    direct = _results(functional.conv2d, pictures, weight, padding)
    for mine, true, torchs in zip(ours, exact, direct, strict=True):
        assert _error(mine, true) <= _WORSE_THAN_DIRECT * max(_error(torchs, true), 5e-8)


def test_large_filters_are_worked_on_in_larger_blocks_and_are_exact_too():
    pictures, weight = _draw(40, 256, 160, 7, 7)
    assert block_images(pictures.shape, 160, 1) > 1
    exact = _results(functional.conv2d, pictures.double(), weight.double(), 1)
    for mine, true in zip(_results(winograd_conv2d, pictures, weight, 1), exact, strict=True):
        assert _error(mine, true) < 5e-6


def test_gradients_are_the_slopes_of_the_outputs():
    pictures, weight = _draw(2, 8, 8, 6, 6)
    pictures, weight = pictures.requires_grad_(), weight.requires_grad_()
    outputs = winograd_conv2d(pictures, weight, padding=1)
    towards = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(2))
    slopes = torch.autograd.grad((outputs * towards).sum(), (pictures, weight))
    for tensor, slope in zip((pictures, weight), slopes, strict=True):
        step = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():  # it is linear in each, so that a long step has no error but rounding
            ends = [
                winograd_conv2d(
                    *(tensor + sign * step if other is tensor else other for other in (pictures, weight)), 1
                )
                for sign in (1, -1)
            ]
        measured = float(((ends[0] - ends[1]) * towards).sum()) / 2
        assert float((slope * step).sum()) == pytest.approx(measured, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("padding", [0, 1])
def test_bits_do_not_depend_on_threads_nor_on_memory_layout(padding):
    pictures, weight = _draw(37, 16, 24, 9, 9)
    assert count_parts(pictures.shape, 24, padding) > 1
    before, results = torch.get_num_threads(), []
    try:
        for threads, layout in ((1, torch.channels_last), (2, torch.contiguous_format), (3, torch.channels_last)):
            torch.set_num_threads(threads)
            moved = pictures.contiguous(memory_format=layout)
            results.append(_results(winograd_conv2d, moved, weight.contiguous(memory_format=layout), padding))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_inputs_that_need_no_gradient_get_none():
    pictures, weight = _draw(2, 8, 8, 8, 8)
    weight.requires_grad_()
    winograd_conv2d(pictures, weight, padding=1).sum().backward()
    assert pictures.grad is None
    expected = torch.autograd.grad(functional.conv2d(pictures, weight, padding=1).sum(), weight)[0]
    torch.testing.assert_close(weight.grad, expected, rtol=1e-4, atol=1e-4)


def test_outputs_can_be_changed_in_place():
    pictures, weight = _draw(2, 8, 8, 8, 8)
    weight.requires_grad_()
    outputs = winograd_conv2d(pictures, weight, padding=1)
    outputs += pictures
    assert outputs.is_contiguous(memory_format=torch.channels_last)
    outputs.square().sum().backward()
    again = weight.detach().clone().requires_grad_()
    (functional.conv2d(pictures, again, padding=1) + pictures).square().sum().backward()
    torch.testing.assert_close(weight.grad, again.grad, rtol=1e-4, atol=1e-3)


class _Same(nn.Conv2d):
    def __init__(self):
        super().__init__(8, 16, 3, padding="same", bias=True)


class _Other(nn.Conv2d):
    def forward(self, input):
        return super().forward(input) * 2


class _Gain(nn.Conv2d):
    def __init__(self):
        super().__init__(8, 8, 3)
        self.gain = nn.Parameter(torch.ones(1))


def _watched():
    conv = nn.Conv2d(8, 8, 3)
    conv.register_forward_hook(lambda module, inputs, output: output * 2)
    return conv


def _network():
    torch.manual_seed(0)
    shared = nn.Conv2d(16, 16, 3, padding=1)
    return nn.Sequential(_Same(), nn.ReLU(), nn.Sequential(shared, shared), nn.Conv2d(16, 8, 3), nn.Flatten())


def test_replaced_convolutions_keep_names_weights_and_what_is_computed():
    network = _network()
    plain, names = copy.deepcopy(network), list(network.state_dict())
    held = list(network.parameters())
    assert replace_convolutions(network) == 3
    assert list(network.state_dict()) == names
    assert all(one is two for one, two in zip(held, network.parameters(), strict=True))
    assert network[2][0] is network[2][1]
    pictures = torch.randn(40, 8, 8, 8)
    assert is_worth_it(pictures.shape, 16, 1)
    torch.testing.assert_close(network(pictures), plain(pictures), rtol=1e-4, atol=1e-4)


def test_a_copy_shares_nothing_and_loads_the_plain_weights():
    network, plain = _network(), _network()
    replace_convolutions(network)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        network[0].weight.zero_()
    twin.load_state_dict(plain.state_dict())
    pictures = torch.randn(40, 8, 8, 8)
    torch.testing.assert_close(twin(pictures), plain(pictures), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(8, 8, 5, padding=2),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.Conv2d(8, 8, 3, padding=2),
        nn.Conv2d(8, 8, 3, dilation=2),
        nn.Conv2d(8, 8, 3, groups=2),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 3)),
        nn.utils.spectral_norm(nn.Conv2d(8, 8, 3)),
        _Other(8, 8, 3),
        _Gain(),
        _watched(),
        WhiteningStem(in_channels=8, kernel_size=3),  # would no longer be found, nor its filters set
    ],
)
def test_other_convolutions_are_left_alone(convolution):
    network = nn.Sequential(convolution)
    assert replace_convolutions(network) == 0
    assert network[0] is convolution


@pytest.mark.parametrize(
    "pictures",
    [
        torch.randn(2, 8, 8, 8),
        torch.randn(300, 8, 5, 5),
        torch.randn(8, 32, 32),
        torch.randn(40, 8, 8, 8, device="meta"),
    ],
)
def test_where_it_does_not_pay_torchs_own_convolution_runs(pictures):
    plain = nn.Conv2d(8, 8, 3, padding=1, device=pictures.device)
    expected, outputs = plain(pictures), WinogradConv2d(plain)(pictures)
    assert outputs.shape == expected.shape
    assert pictures.is_meta or torch.equal(outputs, expected)


def test_images_smaller_than_the_filter_are_refused_as_by_torch():
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        WinogradConv2d(nn.Conv2d(8, 8, 3))(torch.randn(1, 8, 2, 2))


def test_what_a_network_keeps_for_its_backward_pass_can_be_counted():
    network, plain = _network(), _network()
    replace_convolutions(network)
    assert is_worth_it((64, 8, 8, 8), 16, 1)
    assert activation_bytes(network, (8, 8, 8), batch_size=64) == activation_bytes(plain, (8, 8, 8), batch_size=64)


@given(
    count=st.integers(1, 4000),
    inputs=st.sampled_from([8, 64, 256, 512]),
    outputs=st.sampled_from([8, 64, 256, 1024]),
    side=st.integers(3, 64),
)
def test_memory_grows_with_threads_and_blocks_never_exceed_the_batch(count, inputs, outputs, side):
    shape = (count, inputs, side, side)
    assert 1 <= block_images(shape, outputs, 1) <= count
    assert count_parts(shape, outputs, 1) in (2, 4, 8, 16)
    assert 0 < count_bytes(shape, outputs, 1, 1) < count_bytes(shape, outputs, 1, 2)
