"""MixUp and CutMix against torchvision's transforms given the same parameters, and the choice between them."""

import pytest
import torch
from torch.nn.functional import one_hot

from augment.images import make_images
from augment.torchvision_oracle import load_transforms
from windtunnel.augment import Augment
from windtunnel.config import augment as config
from windtunnel.errors import UsageError

BATCH = 6
LABELS = torch.tensor([3, 1, 4, 1, 5, 9])
KINDS = (torch.int64, torch.uint8)


def mixed(op, *, epoch=0, labels=LABELS):
    """Return images, mixed images, mixed labels and the parameters."""
    augment = Augment([op], image_shape=(3, 12, 16), num_classes=10, seed=2)
    images = make_images(BATCH, (12, 16))
    draw = augment.sample(torch.arange(BATCH), epoch)
    before = augment.apply(images, draw)
    after, weights = augment.mix(before, labels, draw)
    return before, after, weights, draw.params[-1]


def torchvision_mixed(transform, images, params):
    params = {**params, "labels": LABELS, "batch_size": BATCH}
    return transform.transform(images, params), transform.transform(LABELS, params)


@pytest.mark.parametrize("epoch", range(3))
def test_mixup_equals_torchvision(epoch):
    transform = load_transforms().MixUp(num_classes=10)
    before, after, weights, params = mixed(config.MixUp(), epoch=epoch)
    images, labels = torchvision_mixed(transform, before, {"lam": params["share"][0].item()})
    torch.testing.assert_close(after, images)
    torch.testing.assert_close(weights, labels)


@pytest.mark.parametrize("epoch", range(3))
def test_cutmix_equals_torchvision(epoch):
    transform = load_transforms().CutMix(num_classes=10)
    before, after, weights, params = mixed(config.CutMix(), epoch=epoch)
    box = [int(params[name][0]) for name in ("left", "top", "right", "bottom")]
    images, labels = torchvision_mixed(transform, before, {"box": box, "lam_adjusted": params["share"][0].item()})
    torch.testing.assert_close(after, images, atol=0, rtol=0)
    torch.testing.assert_close(weights, labels)


@pytest.mark.parametrize("op", [config.MixUp(per="image"), config.CutMix(per="image")])
def test_draws_per_image_use_each_images_own_share(op):
    before, after, weights, params = mixed(op)
    assert params["share"].unique().numel() > 1
    for row in range(BATCH):
        share = params["share"][row]
        own = one_hot(LABELS, 10)[row] * share + one_hot(LABELS, 10)[row - 1] * (1 - share)
        torch.testing.assert_close(weights[row], own)
        kept = (after[row] == before[row]).all(0).float().mean()
        assert op.name == "mixup" or kept >= share - 1e-6
        if op.name == "mixup":
            torch.testing.assert_close(after[row], before[row] * share + before[row - 1] * (1 - share))


@pytest.mark.parametrize("op", [config.MixUp(p=0.0), config.CutMix(p=0.0)])
def test_without_chance_nothing_is_mixed(op):
    before, after, weights, _ = mixed(op)
    assert torch.equal(before, after)
    assert torch.equal(weights, one_hot(LABELS, 10).float())


def test_a_choice_is_one_of_its_ops_for_the_whole_batch():
    op = config.MixChoice()
    seen = set()
    for epoch in range(20):
        before, after, weights, params = mixed(op, epoch=epoch)
        chosen = int(params["choice"][0])
        seen.add(chosen)
        share = params[f"{chosen}.share"][0]
        torch.testing.assert_close(weights.amax(1)[0], torch.maximum(share, 1 - share))
        if op.choices[chosen].name == "mixup":
            torch.testing.assert_close(after, before * share + before.roll(1, 0) * (1 - share))
        else:
            assert ((after == before) | (after == before.roll(1, 0))).all()
    assert seen == {0, 1}


def test_soft_labels_are_mixed_as_they_are():
    soft = torch.rand(BATCH, 10, generator=torch.Generator().manual_seed(0)).softmax(1)
    _, _, weights, params = mixed(config.MixUp(), labels=soft)
    share = params["share"][0]
    torch.testing.assert_close(weights, soft * share + soft.roll(1, 0) * (1 - share))


@pytest.mark.parametrize("op", ["mixup", "cutmix", "mix_choice"])
def test_one_image_stays_as_it_is(op):
    augment = Augment([op], image_shape=(3, 8, 8), num_classes=10)
    image = make_images(1, (8, 8))
    same, weights = augment(image, torch.tensor([1]), ids=torch.tensor([0]), epoch=0)
    torch.testing.assert_close(same, image.float() / 255)
    assert torch.equal(weights, one_hot(torch.tensor([1]), 10).float())


def test_mixing_needs_labels():
    augment = Augment(["mixup"], image_shape=(3, 8, 8), num_classes=10)
    with pytest.raises(UsageError, match="pass the labels"):
        augment(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), ids=torch.arange(2), epoch=0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([1]), "1 labels for 2 images"),
        (torch.tensor([1, 10]), r"labels are in 1\.\.10; num_classes=10 allows 0\.\.9"),
        (torch.tensor([-1, 3]), r"labels are in -1\.\.3"),
        (torch.tensor([1.0, 2.0]), "whole numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    augment = Augment(["mixup"], image_shape=(3, 8, 8), num_classes=10)
    with pytest.raises(UsageError, match=message):
        augment(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), labels, ids=torch.arange(2), epoch=0)


def test_class_indices_may_be_narrow():
    augment = Augment(["mixup"], image_shape=(3, 8, 8), num_classes=10)
    images, ids = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.arange(2)
    wide, narrow = (augment(images, torch.tensor([1, 7], dtype=kind), ids=ids, epoch=0)[1] for kind in KINDS)
    assert torch.equal(wide, narrow)


def test_class_indices_need_the_number_of_classes():
    augment = Augment(["mixup"], image_shape=(3, 8, 8))
    with pytest.raises(UsageError, match="num_classes"):
        augment(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.tensor([1, 0]), ids=torch.arange(2), epoch=0)
