"""What holds for every augmentation op, by its registered name."""

import pytest
import torch

from augment.images import make_images
from windtunnel.augment import Augment
from windtunnel.config.augment import MIXING_OPS, OPS
from windtunnel.config.base import component_name
from windtunnel.registry import import_object

BACKENDS = ["torch", "numba"]
SHAPES = [(3, 32, 32), (1, 17, 23), (3, 12, 9)]
PIXEL_OPS = [op for op in OPS if op not in MIXING_OPS]
WITH_CHANCE = [op for op in OPS if "p" in op.model_fields]
COUNT = 30
# ops whose defaults do nothing
SHOWN = {
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "affine": {"degrees": (-20.0, 20.0), "translate": (0.1, 0.1)},
    "gaussian_blur": {"sigma": (0.5, 2.0)},
    "cutout": {"size": 4},
}


def build(op, shape, **options):
    fields = {**SHOWN.get(component_name(op), {}), **options.pop("fields", {})}
    return Augment([op(**fields)], image_shape=shape, num_classes=4, seed=5, **options)


def ids(op):
    return component_name(op)


def test_every_op_has_a_target_of_its_own_name():
    for op in OPS:
        assert import_object(op.target).name == component_name(op)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("op", PIXEL_OPS, ids=ids)
def test_images_keep_shape_format_and_range(op, shape, backend):
    augment = build(op, shape, backend=backend)
    images = make_images(COUNT, shape[1:], shape[0])
    before = images.clone()
    result = augment.apply(images, augment.sample(torch.arange(COUNT), 0))
    assert result.shape == images.shape
    assert result.dtype == torch.float32
    assert result.min() >= -1e-6
    assert result.max() <= 1 + 1e-6
    assert torch.equal(images, before)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", [op for op in WITH_CHANCE if op not in MIXING_OPS], ids=ids)
def test_without_chance_images_stay_as_they_are(op, backend):
    augment = build(op, (3, 32, 32), backend=backend, fields={"p": 0.0})
    images = make_images(COUNT)
    result = augment.apply(images, augment.sample(torch.arange(COUNT), 0))
    torch.testing.assert_close(result, images.float() / 255, atol=1e-5, rtol=0)


@pytest.mark.parametrize("op", OPS, ids=ids)
def test_draws_depend_on_seed_epoch_and_image_only(op):
    augment, other = build(op, (3, 32, 32)), build(op, (3, 32, 32))
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0))
    drawn, shuffled = augment.sample(torch.arange(COUNT), 1), other.sample(order, 1)
    for own, mixed in zip(drawn.params, shuffled.params, strict=True):
        assert all(torch.equal(own[name][order], mixed[name]) for name in own)
    assert torch.equal(drawn.table.codes[order], shuffled.table.codes)
    assert torch.equal(drawn.table.arguments[order], shuffled.table.arguments)


@pytest.mark.parametrize("op", OPS, ids=ids)
def test_another_epoch_or_seed_draws_anew(op):
    fields = SHOWN.get(component_name(op), {})
    one = Augment([op(**fields)], image_shape=(3, 32, 32), num_classes=4, seed=5)
    other = Augment([op(**fields)], image_shape=(3, 32, 32), num_classes=4, seed=6)
    first = one.sample(torch.arange(COUNT), 0).params[0]
    for again in (one.sample(torch.arange(COUNT), 1).params[0], other.sample(torch.arange(COUNT), 0).params[0]):
        assert any(not torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", PIXEL_OPS, ids=ids)
def test_an_image_is_the_same_bits_in_any_batch(op, backend):
    augment = build(op, (3, 32, 32), backend=backend)
    images = make_images(COUNT)
    draw = augment.sample(torch.arange(COUNT), 2)
    whole = augment.apply(images, draw)
    parts = torch.cat([augment.apply(images[a : a + 7], draw[a : a + 7]) for a in range(0, COUNT, 7)])
    alone = torch.cat([augment.apply(images[i : i + 1], augment.sample(torch.tensor([i]), 2)) for i in range(5)])
    back = augment.apply(images.flip(0), augment.sample(torch.arange(COUNT).flip(0), 2)).flip(0)
    assert torch.equal(whole, parts)
    assert torch.equal(whole[:5], alone)
    assert torch.equal(whole, back)


@pytest.mark.parametrize("op", PIXEL_OPS, ids=ids)
def test_backends_agree(op):
    images = make_images(COUNT)
    results = []
    for backend in BACKENDS:
        augment = build(op, (3, 32, 32), backend=backend)
        results.append(augment.apply(images, augment.sample(torch.arange(COUNT), 3)))
    error = (results[0] - results[1]).abs()
    assert (error > 1e-4).float().mean() < 2e-3
    assert error.mean() < 1e-3


@pytest.mark.parametrize("op", PIXEL_OPS, ids=ids)
def test_something_changes(op):
    augment = build(op, (3, 32, 32))
    images = make_images(COUNT)
    result = augment.apply(images, augment.sample(torch.arange(COUNT), 0))
    assert (result - images.float() / 255).abs().max() > 0.01
