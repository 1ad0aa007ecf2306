"""Which backend renders, and that all of them are told apart by name."""

import importlib.util

import pytest
import torch

from augment.images import make_images
from windtunnel.augment import Augment
from windtunnel.augment.backend import choose_backend
from windtunnel.augment.instruction import Code, Program, Slot
from windtunnel.errors import UsageError

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
SOME, EMPTY = Program((Slot((Code.INVERT,)),)), Program(())


@pytest.fixture
def without_numba(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numba" else found(name))


@pytest.mark.parametrize(
    ("wanted", "device", "program", "expected"),
    [
        ("auto", CPU, SOME, "numba"),
        ("auto", CPU, EMPTY, "torch"),
        ("auto", CUDA, SOME, "torch"),
        ("torch", CPU, SOME, "torch"),
        ("numba", CPU, SOME, "numba"),
    ],
)
def test_choice(wanted, device, program, expected):
    pytest.importorskip("numba", reason="numba is not installed")
    assert choose_backend(wanted, device=device, program=program) == expected


def test_auto_without_numba_is_torch(without_numba):
    assert choose_backend("auto", device=CPU, program=SOME) == "torch"
    assert Augment("easy", image_shape=(3, 8, 8)).backend == "torch"


def test_numba_that_is_not_installed_is_not_replaced_silently(without_numba):
    with pytest.raises(UsageError, match=r"pip install 'windtunnel\[numba\]'"):
        choose_backend("numba", device=CPU, program=SOME)


def test_numba_is_refused_on_cuda():
    with pytest.raises(UsageError, match="runs on a CPU"):
        choose_backend("numba", device=CUDA, program=SOME)


def test_an_unknown_backend_is_refused():
    with pytest.raises(UsageError, match="none of auto, torch, numba"):
        choose_backend("cupy", device=CPU, program=SOME)


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("policy", ["crop_flip", "hard3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [True, False])
def test_batches_have_the_asked_format_and_normalisation(backend, policy, dtype, channels_last):
    images, ids = make_images(40), torch.arange(40)
    plain = Augment(policy, image_shape=(3, 32, 32), backend="torch")
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
    normal = Augment(
        policy, image_shape=(3, 32, 32), backend=backend, mean=mean.tolist(), std=std.tolist(), dtype=dtype,
        channels_last=channels_last,
    )  # fmt: skip
    assert normal.backend == backend
    result, expected = normal.apply(images, normal.sample(ids, 0)), plain.apply(images, plain.sample(ids, 0))
    expected = (expected - mean[:, None, None]) / std[:, None, None]
    assert result.dtype == dtype
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert result.is_contiguous(memory_format=layout)
    torch.testing.assert_close(result.float(), expected, atol=1e-3 if dtype == torch.float32 else 2e-2, rtol=0)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("policy", ["crop_flip", "easy"])
def test_threads_do_not_change_a_bit(policy, threads):
    images, ids = make_images(300), torch.arange(300)
    augment = Augment(policy, image_shape=(3, 32, 32), backend="numba")
    results = []
    for count in (1, 2, 5):
        threads(count)
        results.append(augment.apply(images, augment.sample(ids, 0)))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("policy", ["crop_flip", "easy", "hard2", "hard3", "s3_improved"])
def test_parameters_are_the_same_bits_on_every_device(policy):
    images, ids = make_images(40), torch.arange(40)
    here = Augment(policy, image_shape=(3, 32, 32), backend="torch")
    there = Augment(policy, image_shape=(3, 32, 32), device="cuda")
    drawn, moved = here.sample(ids, 3), there.sample(ids.cuda(), 3)
    for own, other in zip(drawn.params, moved.params, strict=True):
        assert all(torch.equal(own[name], other[name].cpu()) for name in own)
    torch.testing.assert_close(there.apply(images.cuda(), moved).cpu(), here.apply(images, drawn), atol=1e-4, rtol=0)
