"""RandAugment, TrivialAugment and AugMix against torchvision's own rule for each choice."""

import pytest
import torch

from augment.images import make_images
from augment.torchvision_oracle import load_transforms
from windtunnel.augment import Augment
from windtunnel.config import augment as config

THEIR_NAMES = {
    "identity": "Identity", "shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX",
    "translate_y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness", "saturation": "Color",
    "contrast": "Contrast", "sharpness": "Sharpness", "posterize": "Posterize", "solarize": "Solarize",
    "autocontrast": "AutoContrast", "equalize": "Equalize",
}  # fmt: skip
BACKENDS = ["torch", "numba"]


def their_choice(transform, space, bins, image, op, magnitude, negative, fill):
    """Do what torchvision does with a choice of ours."""
    name = THEIR_NAMES[op]
    strengths, signed = space[name]
    height, width = image.shape[-2:]
    table = strengths(bins, height, width)
    strength = 0.0 if table is None else float(table[int(magnitude)]) * (-1 if signed and negative else 1)
    return transform._apply_image_or_video_transform(
        image, name, strength, interpolation=transform.interpolation, fill={torch.Tensor: fill}
    )


def run(op, images, backend):
    augment = Augment([op], image_shape=tuple(images.shape[1:]), seed=4, backend=backend)
    draw = augment.sample(torch.arange(len(images)), 0)
    return augment.apply(images, draw), draw.params[0]


def assert_mostly_equal(ours, expected):
    """Hold all but a few images equal: steps of posterize and equalize may tip on a last bit."""
    errors = (ours - torch.stack(expected)).abs().flatten(1)
    tipped = (errors > 1e-4).float().mean(1)
    assert tipped.mean() < 1e-3
    assert (tipped > 0).float().mean() < 0.1


def spaces(op, frame_shape):
    from windtunnel.augment.op import Frame

    return op.build().space(Frame(*frame_shape, (0.0,) * frame_shape[0])).ops


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(32, 32), (20, 28)])
@pytest.mark.parametrize("op", [config.RandAugment(), config.RandAugment(num_ops=3, magnitude=15, fill=0.5)])
def test_rand_augment(op, size, backend):
    tv = load_transforms()
    images = make_images(60, size)
    ours, params = run(op, images, backend)
    theirs = tv.RandAugment(op.num_ops, op.magnitude, op.num_magnitude_bins)
    fill = None if op.fill is None else [op.fill]
    names, expected = spaces(op, images.shape[1:]), []
    for index, image in enumerate(images):
        image = image.float() / 255
        for place in range(op.num_ops):
            chosen = names[int(params["op"][index, place])]
            image = their_choice(
                theirs, theirs._AUGMENTATION_SPACE, op.num_magnitude_bins, image, chosen,
                params["bin"][index, place], params["negative"][index, place], fill,
            )  # fmt: skip
        expected.append(image)
    assert_mostly_equal(ours, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_trivial_augment(channels, backend):
    tv = load_transforms()
    op = config.TrivialAugment()
    images = make_images(200, (24, 24), channels)
    ours, params = run(op, images, backend)
    theirs = tv.TrivialAugmentWide()
    names = spaces(op, images.shape[1:])
    expected = [
        their_choice(
            theirs, theirs._AUGMENTATION_SPACE, 31, image.float() / 255, names[int(params["op"][index])],
            params["bin"][index], params["negative"][index], None,
        )
        for index, image in enumerate(images)
    ]  # fmt: skip
    assert_mostly_equal(ours, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", [config.AugMix(), config.AugMix(mixture_width=2, chain_depth=2, all_ops=False)])
def test_augmix(op, backend):
    tv = load_transforms()
    images = make_images(40)
    ours, params = run(op, images, backend)
    theirs = tv.AugMix()
    names, expected = spaces(op, images.shape[1:]), []
    for index, image in enumerate(images):
        image = image.float() / 255
        total = params["weights"][index, 0] * image
        for chain in range(op.mixture_width):
            changed = image
            for place in range(int(params["depth"][index, chain])):
                choice = [params[name][index, chain, place] for name in ("op", "bin", "negative")]
                changed = their_choice(
                    theirs, theirs._AUGMENTATION_SPACE, 10, changed, names[int(choice[0])], *choice[1:], None
                )
            total = total + params["weights"][index, chain + 1] * changed
        expected.append(total)
    assert_mostly_equal(ours, expected)


def test_augmix_draws_chains_of_one_to_three_ops():
    _, params = run(config.AugMix(), make_images(200), "torch")
    assert params["depth"].unique().tolist() == [1, 2, 3]
    assert params["bin"].max() == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_rand_augment_of_no_ops_leaves_images_as_they_are(backend):
    images = make_images(4)
    ours, _ = run(config.RandAugment(num_ops=0), images, backend)
    torch.testing.assert_close(ours, images.float() / 255)


@pytest.mark.parametrize("alpha", [1e-3, 0.02, 50.0])
def test_augmix_weights_add_up_to_one_for_any_alpha(alpha):
    augment = Augment([config.AugMix(alpha=alpha)], image_shape=(3, 8, 8))
    weights = augment.sample(torch.arange(20_000), 0).params[0]["weights"]
    torch.testing.assert_close(weights.sum(1), torch.ones(20_000))
