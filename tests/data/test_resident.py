from typing import NamedTuple

import pytest
import torch

from windtunnel.augment.engine import build_transform
from windtunnel.config.augment import HorizontalFlip, RandomCrop
from windtunnel.core.types import ImageBytes
from windtunnel.data.planning import Batching
from windtunnel.data.resident import ResidentLoader

CHANNELS, SIDE = 1, 2


class IdDraw(NamedTuple):
    """Parameters that are the ids themselves, so that a batch shows which were used."""

    ids: torch.Tensor

    def __getitem__(self, rows):
        return IdDraw(self.ids[rows])


class MarkTransform:
    """Writes each image's drawn parameter into its pixels and counts its calls."""

    mixes = False

    def __init__(self, images):
        self.images = images
        self.draws = []

    def draw(self, ids, epoch):
        self.draws.append((len(ids), epoch))
        return IdDraw(ids * 100 + epoch)

    def apply(self, rows, draw):
        return self.images[rows].float() * 0 + draw.ids[:, None, None, None]

    def mix(self, images, labels, draw):
        return images, labels


def make_loader(count=10, shuffle=True, drop_last=True, batch_size=4, seed=0):
    images = torch.zeros(count, CHANNELS, SIDE, SIDE, dtype=torch.uint8)
    labels = torch.arange(count)
    return ResidentLoader(
        ImageBytes(images, labels),
        MarkTransform(images),
        Batching(labels + 1000, batch_size, seed, shuffle=shuffle, drop_last=drop_last),
    )


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [4, 4]), (False, [4, 4, 2])])
def test_batch_sizes_follow_drop_last(drop_last, sizes):
    loader = make_loader(drop_last=drop_last)
    assert [len(batch.labels) for batch in loader.epoch(0)] == sizes
    assert len(loader) == len(sizes)


def test_without_shuffle_the_order_is_the_sets_own():
    batches = list(make_loader(shuffle=False, drop_last=False).epoch(3))
    assert torch.cat([batch.labels for batch in batches]).tolist() == list(range(10))


def test_an_epoch_sees_every_image_once():
    batches = list(make_loader(drop_last=False).epoch(0))
    assert sorted(torch.cat([batch.labels for batch in batches]).tolist()) == list(range(10))


def test_order_differs_between_epochs_and_seeds_only():
    orders = [make_loader(seed=seed, count=100).order(epoch) for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert orders[0].equal(orders[1])
    assert not orders[0].equal(orders[2])
    assert not orders[0].equal(orders[3])


def test_images_labels_and_ids_of_a_batch_belong_together():
    for batch in make_loader().epoch(5):
        assert batch.ids.equal(batch.labels + 1000)
        assert batch.images[:, 0, 0, 0].long().equal(batch.ids * 100 + 5)


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_starting_late_yields_the_same_batches(start):
    whole = list(make_loader(drop_last=False).epoch(2))
    late = list(make_loader(drop_last=False).epoch(2, start))
    assert len(late) == len(whole) - start
    for left, right in zip(late, whole[start:], strict=True):
        assert all(a.equal(b) for a, b in zip(left, right, strict=True))


def test_parameters_are_drawn_once_an_epoch():
    loader = make_loader()
    list(loader.epoch(7))
    assert loader.transform.draws == [(10, 7)]


def make_real_loader(batch_size, device="cpu"):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (24, 8, 8, 3), dtype=torch.uint8, generator=generator)
    data = ImageBytes(pixels.permute(0, 3, 1, 2).to(device), torch.arange(24, device=device) % 3)
    ops = (RandomCrop(padding=2), HorizontalFlip())
    transform = build_transform(
        ops, data.images, mean=(0.5,) * 3, std=(0.25,) * 3, num_classes=3, seed=5, backend="torch"
    )
    ids = torch.arange(24) * 7
    return ResidentLoader(data, transform, Batching(ids, batch_size, seed=5, shuffle=True, drop_last=True))


def collect(loader, epoch):
    return [torch.cat(parts).cpu() for parts in zip(*loader.epoch(epoch), strict=True)]


@pytest.mark.parametrize("batch_size", [1, 3, 12, 24])
def test_what_an_epoch_holds_does_not_depend_on_how_it_is_split(batch_size):
    expected = collect(make_real_loader(8), 1)
    assert all(
        left.equal(right) for left, right in zip(collect(make_real_loader(batch_size), 1), expected, strict=True)
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_plan_is_the_same_on_the_gpu():
    here, there = collect(make_real_loader(8), 1), collect(make_real_loader(8, "cuda"), 1)
    assert here[1].equal(there[1])
    assert here[2].equal(there[2])
    torch.testing.assert_close(here[0], there[0])
