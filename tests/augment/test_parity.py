"""Every op and policy against torchvision's functions on float images, with the same parameters, on both backends."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.images import make_images
from augment.torchvision_oracle import load_transforms, reference
from windtunnel.augment import Augment, parse_policy
from windtunnel.config import augment as config
from windtunnel.config.augment import MIXING_OPS, POLICIES

AFFINE = {
    "degrees": (-30.0, 30.0), "translate": (0.2, 0.1), "scale": (0.7, 1.3), "shear_x": (-20.0, 20.0),
    "shear_y": (-10.0, 10.0),
}  # fmt: skip
OPS = [
    config.Perspective(p=0.8),
    config.Perspective(distortion=0.3, p=1.0, fill=0.5),
    config.Perspective(p=1.0, fill=None),
    config.Rotation(),
    config.Rotation(degrees=(-180.0, 180.0), interpolation="bilinear", fill=0.3),
    config.Rotation(degrees=(0.0, 0.0)),
    config.Rotation(degrees=(90.0, 90.0)),
    config.Affine(**AFFINE),
    config.Affine(**AFFINE, interpolation="bilinear", fill=0.2),
    config.HorizontalFlip(),
    config.VerticalFlip(),
    config.AlternatingFlip(),
    config.RandomCrop(),
    config.RandomCrop(mode="reflect"),
    config.RandomCrop(mode="replicate"),
    config.ResizedCrop(),
    config.ResizedCrop(scale=(0.9, 1.0), ratio=(3.0, 4.0)),
    config.Grayscale(p=0.5),
    config.Invert(),
    config.ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5),
    config.ColorJitter(hue=0.5),
    config.ColorJitter(brightness=1.5, contrast=0.5, saturation=0.5, hue=0.2, p=0.7),
    config.GaussianBlur(),
    config.GaussianBlur(kernel_size=5, p=0.5),
    config.Erasing(p=1.0),
    config.Cutout(),
    config.Posterize(p=1.0, bits=3),
    config.Solarize(),
    config.AutoContrast(),
    config.Equalize(p=0.7),
    config.Sharpness(factor=0.0),
    config.Sharpness(factor=4.0),
]
BACKENDS = ["torch", "numba"]
TIES = 1e-4  # part of the pixels of a nearest-pixel rotation that may be rounded the other way


def difference(ops, images, *, backend, seed=1, epoch=0):
    """Return |ours - torchvision's| of every value."""
    load_transforms()
    augment = Augment(ops, image_shape=tuple(images.shape[1:]), seed=seed, num_classes=10, backend=backend)
    draw = augment.sample(torch.arange(len(images)), epoch)
    ours = augment.apply(images, draw)
    ops = [op for op in parse_policy(ops) if not isinstance(op, MIXING_OPS)]
    expected = []
    for index, image in enumerate(images):
        image = image.float() / 255
        for op, params in zip(ops, draw.params, strict=False):
            image = reference(op, image, {name: values[index] for name, values in params.items()})
        expected.append(image)
    return (ours - torch.stack(expected)).abs()


def assert_close(error, *, nearest):
    wrong = (error > 1e-4).float().mean().item()
    assert wrong <= (TIES if nearest else 0), f"{wrong:.1e} of the values differ, by up to {error.max():.2g}"


def reads_nearest(op):
    return getattr(op, "interpolation", "") == "nearest"


def is_quarter_turn(op):
    return op.name == "rotation" and op.degrees == (90.0, 90.0)


# every pixel of a quarter turn of an oblong image lies on a tie
CASES = [
    pytest.param(op, size, channels, id=f"{op.name}-{size[0]}x{size[1]}x{channels}")
    for op in OPS
    for size, channels in (((32, 32), 3), ((23, 17), 3), ((16, 28), 1))
    if size[0] == size[1] or not is_quarter_turn(op)
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("op", "size", "channels"), CASES)
def test_op_equals_torchvision(op, size, channels, backend):
    error = difference([op], make_images(16, size, channels), backend=backend)
    assert_close(error, nearest=reads_nearest(op))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", [config.Perspective, config.Rotation, config.Affine], ids=lambda op: op.__name__)
def test_fill_of_each_channel_equals_torchvision(op, backend):
    fields = AFFINE if op is config.Affine else {}
    error = difference(
        [op(**fields, p=1.0, fill=(0.1, 0.5, 0.9), interpolation="bilinear")], make_images(), backend=backend
    )
    assert_close(error, nearest=False)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_policy_equals_torchvision(policy, backend):
    error = difference(policy, make_images(48), backend=backend)
    assert_close(error, nearest=any(reads_nearest(op) for op in parse_policy(policy)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_images_of_224_pixels_equal_torchvision(backend):
    error = difference("hard3", make_images(3, (224, 224)), backend=backend)
    assert error.max() < 2e-3  # float32 coordinates are 2e-5 pixels coarse at this size, on noise
    assert error.mean() < 1e-5


FILL = st.floats(0, 1, width=32)
SIZES = st.tuples(st.integers(6, 40), st.integers(6, 40))
ANY_OP = st.one_of(
    st.builds(config.Perspective, distortion=st.floats(0, 0.45), p=st.just(1.0), fill=st.none() | FILL),
    st.builds(
        config.Rotation,
        degrees=st.floats(-180, 180).map(lambda angle: (angle, angle)),
        interpolation=st.just("bilinear"),
        fill=st.none() | FILL,
    ),
    st.builds(config.RandomCrop, padding=st.integers(1, 3), mode=st.sampled_from(["zero", "reflect", "replicate"])),
    st.builds(config.ResizedCrop, scale=st.floats(0.05, 1).map(lambda low: (low, 1.0))),
    st.builds(
        config.ColorJitter,
        brightness=st.floats(0, 2),
        contrast=st.floats(0, 2),
        saturation=st.floats(0, 2),
        hue=st.floats(0, 0.5),
    ),
    st.builds(config.GaussianBlur, kernel_size=st.sampled_from([1, 3, 5]), sigma=st.just((0.2, 3.0))),
    st.builds(config.Erasing, p=st.just(1.0), value=FILL),
    st.builds(config.Sharpness, factor=st.floats(0, 5), p=st.just(1.0)),
    st.builds(config.HorizontalFlip),
    st.builds(config.VerticalFlip),
    st.builds(config.Invert),
    st.builds(config.Grayscale, p=st.just(0.5)),
)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=60)
@given(
    ops=st.lists(ANY_OP, min_size=1, max_size=4),
    size=SIZES,
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 9),
)
def test_any_list_of_ops_equals_torchvision(backend, ops, size, channels, seed):
    error = difference(ops, make_images(4, size, channels, seed), backend=backend, seed=seed)
    # noise read between pixels: a coordinate's last bit, times slopes of up to 1 a pixel, times factors up to 3
    assert (error > 2e-4).float().mean() <= 1e-3
    assert error.mean() < 2e-5
