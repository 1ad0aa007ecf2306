"""The engine on anyone's batches: what it accepts, what it refuses, and how."""

import pickle

import numpy
import pytest
import torch

from augment.images import make_images
from windtunnel.augment import Augment, parse_policy
from windtunnel.errors import UsageError

IDS = torch.arange(24)


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("policy", ["crop_flip", "easy"])
def test_float_images_are_augmented_like_bytes(policy, backend):
    images = make_images()
    augment = Augment(policy, image_shape=(3, 32, 32), mean=(0.5,) * 3, std=(0.2,) * 3, backend=backend)
    draw = augment.sample(IDS, 0)
    torch.testing.assert_close(
        augment.apply(images.float() / 255, draw), augment.apply(images, draw), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_other_float_formats_are_taken(dtype):
    augment = Augment("easy", image_shape=(3, 32, 32))
    images = make_images()
    draw = augment.sample(IDS, 0)
    near = augment.apply((images.float() / 255).to(dtype), draw) - augment.apply(images, draw)
    assert near.abs().mean() < 5e-3


@pytest.mark.parametrize("value", [-0.1, 1.5, 255.0, float("nan"), float("inf")])
def test_float_images_outside_the_range_are_refused(value):
    images = torch.full((2, 3, 8, 8), 0.5)
    images[1, 2, 3, 4] = value
    with pytest.raises(UsageError, match=r"expected in 0\.\.1"):
        Augment("crop_flip", image_shape=(3, 8, 8))(images, ids=torch.arange(2), epoch=0)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_values_can_go_unchecked_and_nan_stays_in_its_image(backend):
    images = make_images(4).float() / 255
    images[1, 0, 5, 5] = float("nan")
    augment = Augment("easy", image_shape=(3, 32, 32), backend=backend, check_values=False)
    result, _ = augment(images, ids=torch.arange(4), epoch=0)
    assert result[[0, 2, 3]].isfinite().all()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), r"expected \(b, 3, 8, 8\)"),
        (torch.zeros(2, 3, 9, 8, dtype=torch.uint8), r"expected \(b, 3, 8, 8\)"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), r"expected \(b, 3, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), "give uint8"),
        (torch.zeros(5, 3, 8, 8, dtype=torch.uint8), "5 images and parameters of 2"),
    ],
)
def test_batches_that_do_not_fit_are_refused(images, message):
    with pytest.raises(UsageError, match=message):
        Augment("crop_flip", image_shape=(3, 8, 8))(images, ids=torch.arange(2), epoch=0)


@pytest.mark.parametrize(
    "ids", [[0, 1], torch.tensor([0.0, 1.0]), torch.tensor([[0], [1]]), torch.tensor([True, False])]
)
def test_ids_that_are_no_indices_are_refused(ids):
    with pytest.raises(UsageError, match=r"ids is .* one whole number an image"):
        Augment("crop_flip", image_shape=(3, 8, 8)).sample(ids, 0)


def test_ids_of_any_width_and_numpys_epochs_give_the_same_draws():
    augment = Augment("easy", image_shape=(3, 8, 8))
    expected = augment.sample(IDS, 3).table.arguments
    for dtype in (torch.int32, torch.uint8):
        assert torch.equal(augment.sample(IDS.to(dtype), 3).table.arguments, expected)
    assert torch.equal(augment.sample(IDS, numpy.int64(3)).table.arguments, expected)


def test_an_epoch_that_is_no_whole_number_is_refused():
    with pytest.raises(UsageError, match=r"epoch is 0\.5"):
        Augment("easy", image_shape=(3, 8, 8)).sample(IDS, 0.5)


def test_images_on_another_device_are_refused():
    augment = Augment("easy", image_shape=(3, 8, 8))
    with pytest.raises(UsageError, match="images are on meta and device is cpu"):
        augment(torch.zeros(2, 3, 8, 8, device="meta"), ids=torch.arange(2), epoch=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image_shape": (8, 8)}, "give channels, height and width"),
        ({"image_shape": (3, 0, 8)}, "each at least 1"),
        ({"dtype": torch.uint8}, "dtype torch.uint8"),
        ({"mean": (0.5,) * 3, "std": (0.2, 0.0, 0.2)}, "must be above 0"),
    ],
)
def test_settings_that_make_no_images_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        Augment("none", **{"image_shape": (3, 8, 8), **given})


@pytest.mark.parametrize("channels", [2, 4])
def test_numba_refuses_channels_it_cannot_write(channels):
    pytest.importorskip("numba", reason="numba is not installed")
    with pytest.raises(UsageError, match=f"the images have {channels}"):
        Augment("none", image_shape=(channels, 8, 8), backend="numba")


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_a_pickled_copy_does_the_same(backend):
    augment = Augment("easy", image_shape=(3, 32, 32), backend=backend)
    before, _ = augment(make_images(), ids=IDS, epoch=0)
    after, _ = pickle.loads(pickle.dumps(augment))(make_images(), ids=IDS, epoch=0)
    assert torch.equal(before, after)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_equalize_stays_in_its_table_for_unchecked_values(backend):
    images = torch.rand(4, 1, 8, 8)
    images[0, 0, 0, 0], images[1, 0, 0, 0], images[2, 0, 0, 0] = 40.0, -7.0, float("nan")
    op = {"name": "equalize", "p": 1.0}
    augment = Augment([op], image_shape=(1, 8, 8), backend=backend, check_values=False)
    result, _ = augment(images, ids=torch.arange(4), epoch=0)
    assert result.isfinite().all()


def test_four_channels_are_refused():
    with pytest.raises(UsageError, match="4 channels"):
        Augment("crop_flip", image_shape=(4, 8, 8))


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("policy", ["none", "crop_flip", "easy", "s4_slim"])
def test_an_empty_batch_stays_empty(policy, backend):
    augment = Augment(policy, image_shape=(3, 8, 8), num_classes=10, backend=backend, dtype=torch.bfloat16)
    empty = torch.zeros(0, 3, 8, 8, dtype=torch.uint8)
    none = torch.zeros(0, dtype=torch.int64)
    images, labels = augment(empty, none, ids=none, epoch=0)
    assert images.shape == (0, 3, 8, 8)
    assert images.dtype == torch.bfloat16
    assert labels.shape == ((0, 10) if policy == "s4_slim" else (0,))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("eazy", "did you mean 'easy'"),
        (["perspektive"], "did you mean 'perspective'"),
        ([{"name": "rotation", "degrees": [5, -5]}], r"0\.degrees: .*above the upper end"),
        ([{"name": "horizontal_flip", "p": 1.5}], r"0\.p: .*less than or equal to 1"),
        ([{"name": "perspective", "fill": [0.1, 0.2]}], "one, or one for each"),
        ([{"name": "gaussian_blur", "kernel_size": 4}], "4 is even"),
        ([{"name": "rand_augment", "magnitude": 31}], "is not one of 31 bins"),
        ([{"name": "mix_choice", "choices": []}], r"0\.choices"),
        (["mixup", "cutmix"], "mix_choice of both"),
        (["mixup", "horizontal_flip"], "comes last"),
        (["alternating_flip", "horizontal_flip"], "keep one of them"),
        ([{"name": "horizontal_flip", "probability": 0.5}], r"0\.probability"),
    ],
)
def test_policies_that_are_not_valid_are_refused(policy, message):
    with pytest.raises(UsageError, match=message):
        parse_policy(policy)


@pytest.mark.parametrize(
    ("policy", "shape", "message"),
    [
        ([{"name": "perspective", "fill": [0.1, 0.2, 0.3]}], (1, 8, 8), "1 channel"),
        ([{"name": "erasing", "value": [0.1, 0.2, 0.3]}], (1, 8, 8), "1 channel"),
        ([{"name": "random_crop", "padding": 8, "mode": "reflect"}], (3, 8, 9), "use padding below 8"),
        ([{"name": "cutout", "size": 9}], (3, 8, 9), "larger than images of 8x9"),
        ([{"name": "gaussian_blur", "kernel_size": 17}], (3, 8, 9), "too large for images of 8x9"),
    ],
)
def test_policies_that_do_not_fit_the_images_are_refused(policy, shape, message):
    with pytest.raises(UsageError, match=message):
        Augment(policy, image_shape=shape)


@pytest.mark.parametrize("given", [{"mean": (0.5,) * 3}, {"mean": (0.5,), "std": (0.2,)}])
def test_statistics_that_do_not_fit_are_refused(given):
    with pytest.raises(UsageError, match="mean and std"):
        Augment("none", image_shape=(3, 8, 8), **given)


def test_labels_pass_through_without_a_mixing_op():
    labels = torch.tensor([4, 2])
    _, same = Augment("none", image_shape=(3, 8, 8))(
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8), labels, ids=torch.arange(2), epoch=0
    )
    assert same is labels
