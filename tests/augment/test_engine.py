import numpy as np
import pytest
import torch

from windtunnel.augment.engine import build_transform
from windtunnel.config.augment import AlternatingFlip, Cutout, HorizontalFlip, OpConfig, RandomCrop
from windtunnel.errors import UsageError

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def make_images(count: int = 12, size: tuple[int, int] = (9, 11), channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, *size, channels), dtype=torch.uint8, generator=generator)
    return pixels.permute(0, 3, 1, 2)


def build(ops: tuple[OpConfig, ...], images: torch.Tensor, **options: object) -> object:
    channels = images.shape[1]
    return build_transform(ops, images, mean=MEAN[:channels], std=STD[:channels], num_classes=10, seed=7, **options)


def normalized(image: np.ndarray) -> torch.Tensor:
    channels = image.shape[-1]
    return torch.from_numpy((image / 255 - MEAN[:channels]) / STD[:channels]).permute(2, 0, 1).float()


@pytest.mark.parametrize("channels", [1, 3])
def test_no_ops_only_normalises(channels):
    images = make_images(channels=channels)
    rows = torch.tensor([3, 0, 3])
    transform = build((), images)
    batch = transform.apply(rows, transform.draw(rows, 0))
    expected = torch.stack([normalized(images[row].permute(1, 2, 0).numpy()) for row in rows])
    torch.testing.assert_close(batch, expected, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize(("mode", "numpy_mode"), [("zero", "constant"), ("reflect", "reflect"), ("replicate", "edge")])
@pytest.mark.parametrize("channels", [1, 3])
def test_flip_then_crop_equals_padding_and_cutting(mode, numpy_mode, channels):
    images = make_images(channels=channels)
    rows = torch.arange(12)
    transform = build((HorizontalFlip(), RandomCrop(padding=3, mode=mode)), images)
    draw = transform.draw(rows + 100, 2)
    batch = transform.apply(rows, draw)
    flips, crops = draw.params
    for row in rows.tolist():
        image = images[row].permute(1, 2, 0).numpy()
        if flips["on"][row]:
            image = image[:, ::-1]
        padded = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode=numpy_mode)
        top, left = 3 + int(crops["top"][row]), 3 + int(crops["left"][row])
        expected = normalized(padded[top : top + 9, left : left + 11])
        torch.testing.assert_close(batch[row], expected, atol=1e-5, rtol=1e-6)


def test_crop_then_flip_differs_from_flip_then_crop_where_it_should():
    images = make_images()
    rows = torch.arange(12)
    one = build((RandomCrop(padding=3), HorizontalFlip(p=1.0)), images)
    other = build((HorizontalFlip(p=1.0), RandomCrop(padding=3)), images)
    assert not torch.equal(one.apply(rows, one.draw(rows, 0)), other.apply(rows, other.draw(rows, 0)))


def test_alternating_flip_shows_both_views_in_each_pair_of_epochs():
    images = make_images()
    rows = torch.arange(12)
    transform = build((AlternatingFlip(),), images)
    on = [transform.draw(rows, epoch).params[0]["on"] for epoch in range(4)]
    assert torch.equal(on[0], ~on[1])
    assert torch.equal(on[0], on[2])
    assert torch.equal(on[1], on[3])
    assert 0 < int(on[0].sum()) < 12


@pytest.mark.parametrize("later", [(), (HorizontalFlip(p=1.0),)])
def test_cutout_leaves_the_mean_in_a_square_inside_the_image(later):
    images = make_images()
    rows = torch.arange(12)
    transform = build((Cutout(size=4), *later), images)
    batch = transform.apply(rows, transform.draw(rows, 0))
    plain = build(later, images)
    kept = plain.apply(rows, plain.draw(rows, 0))
    erased = (batch.abs() < 1e-6).all(1)
    assert erased.sum((1, 2)).tolist() == [16] * 12
    torch.testing.assert_close(
        batch.permute(0, 2, 3, 1)[~erased], kept.permute(0, 2, 3, 1)[~erased], atol=1e-5, rtol=1e-6
    )


def test_every_image_is_the_same_in_any_batch():
    images = make_images(count=40)
    transform = build((HorizontalFlip(), RandomCrop(padding=2), Cutout(size=3)), images)
    ids = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    draw = transform.draw(ids, 5)
    whole = transform.apply(ids, draw)
    parts = torch.cat([transform.apply(ids[a : a + 7], draw[a : a + 7]) for a in range(0, 40, 7)])
    alone = torch.cat([transform.apply(i[None], transform.draw(i[None], 5)) for i in ids])
    assert torch.equal(whole, parts)
    assert torch.equal(whole, alone)


def test_editing_one_op_leaves_the_draws_of_the_others():
    images = make_images()
    ids = torch.arange(12)
    one = build((HorizontalFlip(), RandomCrop(padding=2)), images).draw(ids, 0).params
    other = build((Cutout(size=2), HorizontalFlip()), images).draw(ids, 0).params
    assert torch.equal(one[0]["on"], other[1]["on"])


def test_two_ops_of_one_name_draw_apart():
    ids = torch.arange(64)
    first, second = build((HorizontalFlip(), HorizontalFlip()), make_images()).draw(ids, 0).params
    assert not torch.equal(first["on"], second["on"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("channels_last", [True, False])
def test_batches_have_the_asked_format(dtype, channels_last):
    transform = build((RandomCrop(padding=1),), make_images(), dtype=dtype, channels_last=channels_last)
    rows = torch.arange(4)
    batch = transform.apply(rows, transform.draw(rows, 0))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert batch.dtype == dtype
    assert batch.is_contiguous(memory_format=layout)


@pytest.mark.parametrize(
    ("op", "message"),
    [(RandomCrop(padding=9, mode="reflect"), "use padding below 9"), (Cutout(size=10), "larger than images")],
)
def test_ops_that_do_not_fit_the_image_are_refused(op, message):
    with pytest.raises(UsageError, match=message):
        build((op,), make_images())
